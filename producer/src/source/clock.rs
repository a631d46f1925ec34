//! This machine's clock against the server's.
//!
//! NTP's estimate (RFC 5905, section 8) takes four times: a question leaves at T1, arrives at T2, its answer leaves at T3
//! and arrives at T4. Then the offset is ((T1 − T2) + (T4 − T3)) / 2, positive where this machine is ahead, and the round
//! trip (T4 − T1) − (T3 − T2). `serverTime` is one instant, so that T2 = T3. Half the round trip bounds the error, which is
//! why the exchange with the shortest one is the one to believe.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout_at};

use super::Measured;
use crate::client::{Client, Exchange, Failure, Kind};
use crate::series::{Sample, Series};

/// The first exchange may still have to connect; the others use its connection.
const EXCHANGES: usize = 5;

/// Measures lag, and offset and round trip where the server answers within `patience`.
pub async fn measure(
    client: &Client,
    name: &str,
    slot: Timestamp,
    begun: Timestamp,
    patience: Duration,
) -> Measured {
    let mut samples = Vec::from_iter(sample(
        "clock.lag_seconds",
        name,
        begun.duration_since(slot),
    ));
    let (best, trouble) = exchange(client, Instant::now() + patience).await;
    if let Some(best) = best {
        samples.extend(sample("clock.offset_seconds", name, offset(&best)));
        let round_trip = SignedDuration::try_from(best.round_trip).unwrap_or(SignedDuration::MAX);
        samples.extend(sample("clock.round_trip_seconds", name, round_trip));
    }
    // One answer is enough: that a later question failed says nothing about this slot.
    Measured {
        samples,
        trouble: trouble.filter(|_| best.is_none()).map(Into::into),
    }
}

fn sample(series: &str, producer: &str, value: SignedDuration) -> Option<Sample> {
    let series = Series::new(series, [("producer".into(), producer.into())])?;
    Sample::new(series, value.as_secs_f64())
}

/// The exchange with the shortest round trip, and what ended the exchanges early.
async fn exchange(client: &Client, deadline: Instant) -> (Option<Exchange>, Option<Failure>) {
    let mut best: Option<Exchange> = None;
    for _ in 0..EXCHANGES {
        match timeout_at(deadline, client.server_time()).await {
            Ok(Ok(next)) => {
                best = Some(
                    best.filter(|best| best.round_trip <= next.round_trip)
                        .unwrap_or(next),
                );
            }
            Ok(Err(failure)) => return (best, Some(failure)),
            Err(_) => {
                let cause =
                    "the server did not tell its time before the next slot; is it overloaded?"
                        .into();
                return (
                    best,
                    Some(Failure {
                        kind: Kind::Passing(None),
                        cause,
                    }),
                );
            }
        }
    }
    (best, None)
}

/// This machine's clock minus the server's.
fn offset(exchange: &Exchange) -> SignedDuration {
    let half = SignedDuration::try_from(exchange.round_trip / 2).unwrap_or(SignedDuration::MAX);
    exchange
        .sent
        .duration_since(exchange.server)
        .saturating_add(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exchange whose question takes `there` and whose answer takes `back`, this clock being `ahead` (milliseconds).
    fn exchange(ahead: i64, there: u64, back: u64) -> Exchange {
        let server: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
        let there = Duration::from_millis(there);
        Exchange {
            sent: server - there + SignedDuration::from_millis(ahead),
            server,
            round_trip: there + Duration::from_millis(back),
        }
    }

    #[test]
    fn the_offset_is_exact_where_both_ways_take_as_long() {
        for ahead in [-86_400_000, -3, 0, 3, 86_400_000] {
            assert_eq!(
                offset(&exchange(ahead, 20, 20)),
                SignedDuration::from_millis(ahead)
            );
        }
    }

    #[test]
    fn half_the_round_trip_bounds_the_error() {
        for (there, back) in [(40, 0), (0, 40), (30, 10)] {
            let error = offset(&exchange(5, there, back)) - SignedDuration::from_millis(5);
            assert!(error.abs() <= SignedDuration::from_millis(20), "{error}");
        }
    }

    #[test]
    fn it_agrees_with_the_four_timestamps_of_ntp() {
        let (t1, t2) = (100.0, 90.5);
        let (t3, t4) = (t2, 101.5);
        let ntp = ((t1 - t2) + (t4 - t3)) / 2.0;
        let at = |seconds: f64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs_f64(seconds);
        let exchange = Exchange {
            sent: at(t1),
            server: at(t2),
            round_trip: Duration::from_secs_f64(t4 - t1),
        };
        assert_eq!(offset(&exchange).as_secs_f64(), ntp);
    }
}
