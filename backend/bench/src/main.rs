//! Load for Sundial and its peers: what `make bench` measures with.

mod data;
mod load;

use std::process::ExitCode;

use clap::Parser;

/// Sends points to a service as fast as it takes them, and tells how fast that was
#[derive(Parser)]
struct Arguments {
    /// Where to send them
    #[arg(long)]
    url: String,
    /// What the service speaks
    #[arg(long, value_enum, default_value_t = data::Kind::Sundial)]
    kind: data::Kind,
    /// Sent as `Authorization: Bearer`
    #[arg(long)]
    token: Option<String>,
    /// The tenant
    #[arg(long, default_value = "bench")]
    tenant: String,
    /// Requests at the same time
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Series in a request
    #[arg(long, default_value_t = 1)]
    series: usize,
    /// Points of each series in a request
    #[arg(long, default_value_t = 10_000)]
    points: usize,
    /// Requests in all
    #[arg(long, default_value_t = 400)]
    requests: usize,
    /// The first point's time, seconds since 1970
    #[arg(long, default_value_t = 1_700_000_000)]
    start: i64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let bodies = data::bodies(&arguments);
    match load::run(&arguments, bodies).await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
