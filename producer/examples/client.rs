//! Writes a point to Sundial, and reads what is there of the last hour.

use std::env;
use std::error::Error;
use std::time::SystemTime;

use serde_json::{Value, json};

const WRITE: &str = r#"mutation ($batches: [SeriesBatch!]!, $key: String) {
  ingest(tenant: "mcce-g1-prod", batches: $batches, idempotencyKey: $key) { points series replayed }
}"#;
const READ: &str = r#"query ($range: TimeRange!) {
  tenant(slug: "mcce-g1-prod") {
    series(match: "room.co2", first: 1) { nodes { key samples(range: $range) { times values } } }
  }
}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = u64::try_from(now.as_micros())?;
    let batches = json!([{ "series": "room.co2", "times": [now], "values": [612.5] }]);
    let key = format!("room.co2/{now}");
    let written = ask(WRITE, json!({ "batches": batches, "key": key })).await?;
    println!("{}", written["ingest"]);

    let range = json!({ "from": now - 3_600_000_000, "to": now + 1 });
    let read = ask(READ, json!({ "range": range })).await?;
    println!("{}", read["tenant"]["series"]["nodes"][0]);
    Ok(())
}

async fn ask(query: &str, variables: Value) -> Result<Value, Box<dyn Error>> {
    let url = env::var("SUNDIAL_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".into());
    let request = reqwest::Client::new()
        .post(format!("{url}/graphql"))
        .bearer_auth(env::var("SUNDIAL_TOKEN")?)
        .json(&json!({ "query": query, "variables": variables }));
    let mut answer: Value = request.send().await?.json().await?;
    match answer["errors"][0]["message"].as_str() {
        Some(message) => Err(message.into()),
        None => Ok(answer["data"].take()),
    }
}
