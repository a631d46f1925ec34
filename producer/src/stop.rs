//! The wish to stop: Ctrl-C or SIGTERM.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

/// How long a delivery on its way may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Tells whether, and waits until, somebody wants this process to stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for the signals.
    ///
    /// # Errors
    /// When the system refuses to tell.
    pub fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (wish, wished) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            wish.send_replace(true);
            // Kept until all are gone who may ask.
            wish.closed().await;
        });
        Ok(Self(wished))
    }

    /// Whether it was wished.
    pub fn is_wished(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the wish.
    pub async fn wished(&self) {
        // An error means that the listener is gone with the runtime, which is the end as well.
        let _ = self.0.clone().wait_for(|wished| *wished).await;
    }

    /// Waits for the wish, and then for as long as a delivery on its way may take.
    pub async fn overdue(&self) {
        self.wished().await;
        sleep(GRACE).await;
    }
}
