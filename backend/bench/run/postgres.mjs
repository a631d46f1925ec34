// The PostgreSQL that tools/postgres has started, as its superuser.

import { run } from "./process.mjs";

export class Postgres {
  constructor(superuser) {
    this.superuser = superuser;
  }

  static async connect(superuser) {
    const postgres = new Postgres(superuser);
    postgres.pid = Number((await postgres.sql("SELECT pg_read_file('postmaster.pid')")).split("\n")[0]);
    return postgres;
  }

  // The address of a database, for the superuser or another role.
  url(database, role) {
    const url = new URL(this.superuser);
    if (role) Object.assign(url, { username: role, password: "bench" });
    url.pathname = `/${database}`;
    return url.href;
  }

  psql(rest, database = "postgres") {
    return run(["psql", "-d", this.url(database), "-XAtq", "-v", "ON_ERROR_STOP=1", ...rest]);
  }

  async sql(statement, database) {
    return (await this.psql(["-c", statement], database)).trim();
  }
}
