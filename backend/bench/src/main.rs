//! Load for Sundial and its peers: what `make bench` measures with.

mod data;
mod load;

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use clap::Parser;

/// Sends points to a service as fast as it takes them, and tells how fast that was
#[derive(Parser)]
#[command(after_help = "Examples:
  sundial-bench --url http://127.0.0.1:8080/graphql --token $(cat token) --requests 1000
  sundial-bench --url 'http://127.0.0.1:8428/write?precision=ms' --kind influx-millis --series 1000 --points 1
  sundial-bench --scripts parts --kind copy && psql -f parts/0.sql")]
struct Arguments {
    /// Where to send them
    #[arg(long, required_unless_present = "scripts")]
    url: Option<String>,
    /// Instead, the directory to write a script for each connection to
    #[arg(long, conflicts_with = "url")]
    scripts: Option<PathBuf>,
    /// What the service speaks
    #[arg(long, value_enum, default_value_t = data::Kind::Sundial)]
    kind: data::Kind,
    /// What is measured
    #[arg(long, value_enum, default_value_t = data::Gauge::Exact)]
    gauge: data::Gauge,
    /// Sent as `Authorization: Bearer`
    #[arg(long)]
    token: Option<String>,
    /// The name of the series (without labels), or the table
    #[arg(long, default_value = "gauge")]
    name: String,
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
    let done = match (&arguments.url, &arguments.scripts) {
        (Some(url), _) => load::run(url, &arguments, bodies)
            .await
            .map(|report| println!("{report}")),
        (None, Some(directory)) => scripts(directory, arguments.connections, &bodies),
        (None, None) => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes `0.sql`, `1.sql`, …: what each connection is to send.
fn scripts(
    directory: &PathBuf,
    connections: usize,
    bodies: &[Vec<u8>],
) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    for connection in 0..connections {
        let own: Vec<&[u8]> = bodies
            .iter()
            .skip(connection)
            .step_by(connections)
            .map(Vec::as_slice)
            .collect();
        fs::write(directory.join(format!("{connection}.sql")), own.concat())?;
    }
    Ok(())
}
