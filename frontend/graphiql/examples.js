// The tabs that a reader finds on the first visit.

const RANGE = `// from and to: RFC 3339, or microseconds since 1970 UTC`;

/** What to begin with, filled in for the tenant that the address names. */
export function examples(tenant) {
  const now = Date.now();
  const slug = tenant || "your-tenant";
  const json = (value) => JSON.stringify(value, null, 2);
  return [
    {
      query: `# Who asks, and which tenants are open to them
query Me {
  serverTime
  viewer {
    kind
    login
    organizations
  }
  tenants {
    nodes {
      slug
      group
      environment
      role
      lastPointAt
    }
  }
}
`,
      variables: "{}",
    },
    {
      query: `# The series of a tenant, and their points of 5 minutes
query Samples($tenant: String!, $range: TimeRange!) {
  tenant(slug: $tenant) {
    series(first: 10) {
      nodes {
        key
        latest {
          time
          value
        }
        samples(range: $range) {
          times
          values
        }
      }
    }
  }
}
`,
      variables: `${RANGE}\n${json({ tenant: slug, range: { from: new Date(now - 300_000).toISOString(), to: new Date(now + 60_000).toISOString() } })}`,
    },
    {
      query: `# Writes two points; editors and ingest tokens may.
# The same key and body again change nothing.
mutation Ingest($tenant: String!, $batches: [SeriesBatch!]!, $key: String) {
  ingest(tenant: $tenant, batches: $batches, idempotencyKey: $key) {
    points
    series
    replayed
    at
  }
}
`,
      variables: json({
        tenant: slug,
        batches: [{ series: 'try.value{from="graphiql"}', times: [new Date(now - 1_000).toISOString(), new Date(now).toISOString()], values: [1, 2] }],
        key: `graphiql-${now}`,
      }),
    },
    {
      query: `# Every point of the tenant, as it is written.
# The button that starts it stops it.
subscription Live($tenant: String!) {
  pointsAdded(tenant: $tenant, series: ["*"]) {
    cursor
    series {
      series
      times
      values
    }
  }
}
`,
      variables: json({ tenant: slug }),
    },
  ];
}
