//! Runs the stand-in for GitHub until it is interrupted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use github_stand_in::Settings;

/// A stand-in for GitHub, for demonstrations on one machine: three accounts, no passwords.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8082")]
    listen: SocketAddr,
    /// Client id of the registered OAuth app.
    #[arg(long)]
    client_id: String,
    /// Client secret of the registered OAuth app.
    #[arg(long, env = "GITHUB_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
    /// Callback URL of the registered OAuth app.
    #[arg(long, default_value = "http://127.0.0.1:8080/auth/callback")]
    callback_url: String,
    /// File in which access tokens survive a restart.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = Settings {
        listen: arguments.listen,
        client_id: arguments.client_id,
        client_secret: arguments.client_secret,
        callback_url: arguments.callback_url,
        state: arguments.state,
        ..Settings::default()
    };
    let outcome = async {
        let github = github_stand_in::start(settings).await?;
        eprintln!(
            "github-stand-in: listening on {}, API at {}",
            github.url(),
            github.api_url()
        );
        tokio::select! {
            ended = github.wait() => ended,
            () = interrupted() => Ok(()),
        }
    };
    match outcome.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "github-stand-in: cannot run on {}: {error}",
                arguments.listen
            );
            ExitCode::FAILURE
        }
    }
}

/// Returns at Ctrl-C or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
