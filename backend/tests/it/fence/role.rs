//! The role that the server logs in as: bound to one tenant, and nothing that opens the fence goes unnoticed.

use std::time::Duration;

use sea_orm::{ConnectionTrait, TransactionTrait};
use sundial::guard::{Pool, system};

use super::{filled, refusal, tables, tenant_ids};
use crate::{
    app::{FOREIGN, PROD, TEST, TestApp},
    database::{Database, Kind, connect, read},
};

/// Every row of every table that `url`'s role can read, whatever it says to be bound to.
async fn rows_in_reach(url: &str, tables: &[String], tenants: &[i32]) -> Vec<(String, String)> {
    let connection = connect(url).await;
    let mut keys = vec![
        String::new(),
        "past:9000000000000000".into(),
        "ended:".into(),
    ];
    keys.push("organizations:,mcce,other".into());
    keys.push("tenants:,1,2,3".into());
    keys.extend([PROD, TEST, FOREIGN].map(|slug| format!("slug:{slug}")));
    keys.extend([101, 102, 103].map(|id| format!("account:{id}")));
    let mut seen = std::collections::BTreeSet::new();
    for tenant in tenants.iter().chain([&0]) {
        for key in &keys {
            let transaction = connection.begin().await.unwrap();
            let bind = format!("SET LOCAL app.tenant = '{tenant}'; SET LOCAL app.key = '{key}'");
            transaction.execute_unprepared(&bind).await.unwrap();
            for table in tables {
                let sql = format!("SELECT row_to_json(r)::text FROM {table} AS r");
                let rows: Vec<String> = read(&transaction, &sql).await;
                seen.extend(rows.into_iter().map(|row| (table.clone(), row)));
            }
            transaction.rollback().await.unwrap();
        }
    }
    connection.close().await.unwrap();
    seen.into_iter().collect()
}

#[tokio::test]
async fn role_of_a_tenant_reads_that_tenant_alone_whatever_it_says() {
    let app = filled(Kind::Postgres).await;
    let ids = tenant_ids(&app).await;
    let mut tables = tables(&app).await;
    tables.extend(["tenant", "account", "session"].map(String::from));
    for (number, home) in [0, ids[0], ids[2]].into_iter().enumerate() {
        let id = 101 + number;
        let people = format!(
            "INSERT INTO account VALUES ({home}, {id}, 'p{id}', 'P', NULL, 'mcce,other', '', 1); \
             INSERT INTO session VALUES ({home}, '\\x0{number}', {id}, '\\x00', 'test', 1, 1, 2)"
        );
        app.database.execute(&people).await;
    }
    let owner = Pool::open(&app.database.superuser.clone().into(), 2)
        .await
        .unwrap();
    let name = url::Url::parse(&app.database.url).unwrap().path()[1..].to_owned();
    let role = format!("{name}_bound");
    // Of the least length that is taken.
    let password = "0123456789-SCRAM".to_owned();
    let bind = async || {
        system::bind_application_role(&owner, &role, Some(&password.clone().into()), PROD).await
    };
    bind().await.unwrap();
    // Binding again changes nothing, and waits for nobody who writes.
    let writer = connect(&app.database.superuser).await;
    let writing = writer.begin().await.unwrap();
    let lock = format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", tables.join(", "));
    writing.execute_unprepared(&lock).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), bind())
        .await
        .unwrap()
        .unwrap();
    writing.rollback().await.unwrap();
    // Who has one tenant gets no other one and not all; nor does the role of a server of all lose them.
    let to_another = system::bind_application_role(&owner, &role, None, TEST).await;
    let to_all = system::grant_application_role(&owner, &role).await;
    let shared = system::bind_application_role(&owner, &format!("{name}_app"), None, PROD).await;
    for (refused, words) in [
        (to_another, "bound to another tenant"),
        (to_all, "bound to one tenant"),
        (shared, "server of all tenants"),
    ] {
        let said = refused.err().map(|error| error.to_string());
        assert!(
            said.as_deref().is_some_and(|said| said.contains(words)),
            "{said:?}"
        );
    }
    let mut url = url::Url::parse(&app.database.url).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some(&password)).unwrap();
    let bound = rows_in_reach(url.as_str(), &tables, &ids).await;
    for (table, row) in &bound {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let column = match table.as_str() {
            "tenant" => "id",
            "account" | "session" => "home_id",
            _ => "tenant_id",
        };
        assert_eq!(row[column], ids[0], "{table}: {row}");
    }
    // Nothing is missing: the role serves its tenant whole.
    for table in &tables {
        assert!(bound.iter().any(|(of, _)| of == table), "{table}");
    }
    let all = rows_in_reach(&app.database.url, &tables, &ids).await;
    assert!(
        all.len() > 2 * bound.len(),
        "{} of {}",
        bound.len(),
        all.len()
    );

    let connection = connect(url.as_str()).await;
    // Without a word of which tenant it is, as one looks by hand.
    for (table, column) in [
        ("tenant", "id"),
        ("series", "tenant_id"),
        ("batch", "tenant_id"),
        ("chunk", "tenant_id"),
    ] {
        let sql = format!("SELECT {column} FROM {table}");
        assert_eq!(read::<i32>(&connection, &sql).await, [ids[0]], "{table}");
    }
    for table in ["account", "session"] {
        let sql = format!("SELECT home_id FROM {table}");
        assert!(read::<i32>(&connection, &sql).await.is_empty(), "{table}");
    }
    for table in &tables {
        let (column, others) = match table.as_str() {
            "tenant" => ("id", ids[2]),
            "account" | "session" => ("home_id", 0),
            _ => ("tenant_id", ids[2]),
        };
        if table != "audit_event" && table != "tenant" {
            let transaction = connection.begin().await.unwrap();
            let bind =
                format!("SET LOCAL app.tenant = '{others}'; SET LOCAL app.key = 'account:101'");
            transaction.execute_unprepared(&bind).await.unwrap();
            for sql in [
                format!("UPDATE {table} SET {column} = {column}"),
                format!("DELETE FROM {table}"),
            ] {
                let done = transaction.execute_unprepared(&sql).await.unwrap();
                assert_eq!(done.rows_affected(), 0, "{sql}");
            }
            transaction.rollback().await.unwrap();
        }
        let copy = format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, '{{\"{column}\": {others}}}')).*"
        );
        let words = refusal(&connection, others, &copy).await;
        let why = if table == "tenant" {
            "permission denied"
        } else {
            "row-level security"
        };
        assert!(words.contains(why), "{copy}: {words}");
    }
    connection.close().await.unwrap();

    // The server finds what is amiss: bound to the wrong tenant, to none, or not at all.
    let faults = async |url: &str, pinned: Option<&str>| {
        let mut pool = Pool::open(&url.to_owned().into(), 2).await.unwrap();
        if let Some(slug) = pinned {
            match pool.clone().pinned_to(slug).await {
                Ok(pinned) => pool = pinned,
                Err(error) => return error.to_string(),
            }
        }
        let faults = system::fence_faults(&pool).await.unwrap().join("\n");
        pool.close().await;
        faults
    };
    assert_eq!(faults(url.as_str(), Some(PROD)).await, "");
    assert!(
        faults(url.as_str(), Some(TEST))
            .await
            .contains("no such tenant")
    );
    // Nobody is told to drop what binds it.
    let unsaid = faults(url.as_str(), None).await;
    assert!(unsaid.contains("SUNDIAL_TENANT"), "{unsaid}");
    assert_eq!(unsaid.lines().count(), 1, "{unsaid}");
    let unbound = faults(&app.database.url, Some(PROD)).await;
    assert!(unbound.contains("table batch does not bind"), "{unbound}");
    // Or in one table alone: not at all, or to another tenant.
    let drop = format!("DROP POLICY bound_{role} ON batch");
    let other = ids[2];
    let astray = format!(
        "CREATE POLICY bound_{role} ON batch AS RESTRICTIVE TO {role} \
         USING (tenant_id = {other}) WITH CHECK (tenant_id = {other})"
    );
    for sql in [drop, astray] {
        app.database.execute(&sql).await;
        let one = faults(url.as_str(), Some(PROD)).await;
        assert!(one.contains("table batch does not bind"), "{one}");
        assert_eq!(one.lines().count(), 1, "{one}");
    }
    bind().await.unwrap();
    assert_eq!(faults(url.as_str(), Some(PROD)).await, "");
    owner.close().await;
}

#[tokio::test]
async fn whatever_opens_the_fence_is_a_fault_until_it_is_mended() {
    let app = TestApp::start(Kind::Postgres).await;
    let name = url::Url::parse(&app.database.url).unwrap().path()[1..].to_owned();
    let (role, owner) = (format!("{name}_app"), format!("{name}_owner"));
    let faults = async || {
        let pool = Pool::open(&app.database.url.clone().into(), 1)
            .await
            .unwrap();
        let faults = system::fence_faults(&pool).await.unwrap();
        pool.close().await;
        faults
    };
    assert_eq!(faults().await, [""; 0]);
    for (open, fault, mend) in [
        (
            format!("ALTER ROLE {role} CREATEROLE"),
            "has CREATEROLE",
            format!("ALTER ROLE {role} NOCREATEROLE"),
        ),
        (
            format!("CREATE ROLE {name}_group; GRANT {name}_group TO {role}"),
            "can become",
            format!("DROP ROLE {name}_group"),
        ),
        (
            format!("GRANT pg_read_all_data TO {role}"),
            "can become pg_read_all_data",
            format!("REVOKE pg_read_all_data FROM {role}"),
        ),
        (
            format!("ALTER DATABASE {name} OWNER TO {role}"),
            "owns the database",
            format!("ALTER DATABASE {name} OWNER TO {owner}"),
        ),
        (
            format!("GRANT CREATE ON SCHEMA public TO {role}"),
            "may CREATE in the schema public",
            format!("REVOKE CREATE ON SCHEMA public FROM {role}"),
        ),
        (
            "CREATE POLICY extra ON batch USING (true)".to_owned(),
            "policy extra on table batch",
            "DROP POLICY extra ON batch".to_owned(),
        ),
        (
            format!(
                "CREATE POLICY extra ON series FOR INSERT TO {role} WITH CHECK (tenant_id > 0)"
            ),
            "policy extra on table series",
            "DROP POLICY extra ON series".to_owned(),
        ),
        (
            format!("ALTER ROLE {role} SET search_path = pg_catalog, public"),
            "search_path",
            format!("ALTER ROLE {role} RESET search_path"),
        ),
        (
            format!("GRANT UPDATE (name) ON tenant TO {role}"),
            "may UPDATE on table tenant",
            format!("REVOKE UPDATE (name) ON tenant FROM {role}"),
        ),
    ] {
        app.database.execute(&open).await;
        let found = faults().await.join("\n");
        assert!(found.contains(fault), "{open}: {found}");
        app.database.execute(&mend).await;
        assert_eq!(faults().await, [""; 0], "{mend}");
    }
    // What is too much of rights is taken back by what grants them.
    let all = format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}");
    app.database.execute(&all).await;
    let found = faults().await.join("\n");
    for right in [
        "TRIGGER on table access_rule",
        "TRUNCATE on table batch",
        "INSERT on table tenant",
    ] {
        assert!(found.contains(right), "{right}: {found}");
    }
    let pool = Pool::open(&app.database.owner.clone().into(), 2)
        .await
        .unwrap();
    system::grant_application_role(&pool, &role).await.unwrap();
    pool.close().await;
    assert_eq!(faults().await, [""; 0]);
}

#[tokio::test]
async fn role_is_refused_for_its_name_or_password() {
    let app = TestApp::start(Kind::Postgres).await;
    let owner = Pool::open(&app.database.owner.clone().into(), 2).await;
    let owner = owner.unwrap();
    let refused = async |pool: &Pool, role: &str| {
        let granted = system::grant_application_role(pool, role).await;
        let refused = granted.err().unwrap_or_else(|| panic!("{role}"));
        assert_eq!(refused.code(), "BAD_USER_INPUT", "{role}: {refused}");
        refused.to_string()
    };
    let long = "a".repeat(58);
    for role in [
        "",
        "1a",
        "_a",
        "A",
        "a-b",
        "a b",
        "a; DROP ROLE b",
        "\"a\"",
        "ä",
        &long,
    ] {
        assert!(refused(&owner, role).await.contains("1 to 57"), "{role}");
    }
    for role in ["public", "none", "current_user", "pg_monitor"] {
        assert!(
            refused(&owner, role)
                .await
                .contains("no role of a server's own"),
            "{role}"
        );
    }
    let name = url::Url::parse(&app.database.url).unwrap().path()[1..].to_owned();
    let itself = refused(&owner, &format!("{name}_owner")).await;
    assert!(itself.contains("owns the tables"), "{itself}");
    let absent = refused(&owner, &format!("{name}_none")).await;
    assert!(absent.contains("CREATE ROLE"), "{absent}");
    let longest = format!("{name}_{}", "a".repeat(56 - name.len()));
    app.database
        .execute(&format!("CREATE ROLE {longest}"))
        .await;
    let granted = system::grant_application_role(&owner, &longest).await;
    assert!(granted.is_ok(), "{granted:?}");
    // Nor does who may make no roles make one, or who owns no tables change them.
    let made = system::bind_application_role(&owner, &format!("{name}_new"), None, PROD).await;
    let words = made.err().map(|error| error.to_string());
    assert!(
        words
            .as_deref()
            .is_some_and(|words| words.contains("CREATEROLE")),
        "{words:?}"
    );
    let words = app.pool.migrate_down(1).await.unwrap_err().to_string();
    assert!(words.contains("owns them"), "{words}");
    // Nor is a password that is short, or that PostgreSQL would have to rewrite first.
    for password in [
        "",
        "0123456789abcde",
        "0123456789 abcdef",
        "0123456789äbcdef",
    ] {
        let bound = Some(password.to_owned().into());
        let bound = system::bind_application_role(&owner, &longest, bound.as_ref(), PROD);
        let words = bound.await.err().map(|error| error.to_string());
        assert!(
            words.is_some_and(|words| words.contains("16 or more")),
            "{password}"
        );
    }
    owner.close().await;
    let file = Database::create(Kind::Sqlite).await;
    let pool = Pool::open(&file.url.clone().into(), 2).await.unwrap();
    assert!(refused(&pool, "app").await.contains("SQLite has no roles"));
}

#[tokio::test]
async fn role_that_could_become_the_owner_is_a_fault() {
    let app = TestApp::start(Kind::Postgres).await;
    let name = url::Url::parse(&app.database.url).unwrap().path()[1..].to_owned();
    let grant = format!("GRANT {name}_owner TO {name}_app");
    app.database.execute(&grant).await;
    let faults = system::fence_faults(&app.pool).await.unwrap().join("\n");
    assert!(faults.contains("owns tables access_rule, "), "{faults}");
    app.database
        .execute(&format!(
            "REVOKE {name}_owner FROM {name}_app; GRANT DELETE ON audit_event TO {name}_app"
        ))
        .await;
    let faults = system::fence_faults(&app.pool).await.unwrap().join("\n");
    assert!(
        faults.contains("may DELETE on table audit_event"),
        "{faults}"
    );
}
