//! Calls written as batches, a row each, several in one commit.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    chunk::{Points, encode_batch},
    error::{Error, Result},
    guard::{
        AtLeast, Editor, TenantScope,
        table::{tenant, tenant_counter},
    },
    point::{
        entity::{ActiveModel, Column, Entity, Model},
        store::pending::working,
        write::{IdempotencyKey, Write},
    },
    request::DAY,
    series,
};

/// How long an idempotency key is kept, in µs.
pub const KEY_LIFETIME: i64 = DAY;

/// What a write has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its place in the tenant's order of commits.
    pub seq: i64,
    /// How many points it wrote.
    pub points: i32,
    /// To how many series.
    pub series: i32,
    /// Whether it had been written before, by the same idempotency key.
    pub replayed: bool,
    /// When it was written, in µs since 1970 UTC.
    pub at: i64,
}

/// The numbers of series that are known to be there, by tenant and key. A series keeps its number for good. Cheap to clone.
#[derive(Clone, Default)]
pub struct Known(Arc<RwLock<BySeries>>);

#[derive(Default)]
struct BySeries {
    ids: HashMap<i32, HashMap<String, i32>>,
    count: usize,
}

/// Numbers that are kept in memory, some 20 MiB; when there are more, all are forgotten and learned anew.
const KNOWN: usize = 200_000;

impl Known {
    /// The number of each of these series of a tenant, in the same order, if all are known.
    fn of<'a>(&self, tenant_id: i32, keys: impl Iterator<Item = &'a String>) -> Option<Vec<i32>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let ids = known.ids.get(&tenant_id)?;
        keys.map(|key| ids.get(key).copied()).collect()
    }

    fn learn<'a>(&self, tenant_id: i32, keys: impl Iterator<Item = &'a String>, ids: &[i32]) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.count + ids.len() > KNOWN {
            *known = BySeries::default();
        }
        let BySeries { ids: all, count } = &mut *known;
        let own = all.entry(tenant_id).or_default();
        for (key, id) in keys.zip(ids) {
            *count += usize::from(own.insert(key.clone(), *id).is_none());
        }
    }
}

/// A call that somebody may make, ready to be written.
pub struct Job {
    tenant_id: i32,
    write: Write,
    key: Option<IdempotencyKey>,
    hash: [u8; 32],
    /// The row's payload, once the numbers of all series are known.
    payload: Option<Vec<u8>>,
}

impl Job {
    /// Prepares a call in the tenant of `scope`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when the scope's ingest token is limited to other series.
    pub async fn prepare<R: AtLeast<Editor>>(
        scope: &TenantScope<R>,
        write: Write,
        key: Option<IdempotencyKey>,
        known: &Known,
    ) -> Result<Self> {
        series::store::check_reach(scope, write.keys())?;
        let tenant_id = scope.tenant().id;
        let ids = known.of(tenant_id, write.keys());
        working(move || {
            let hash = write.hash();
            let payload = ids.map(|ids| payload(&write, ids)).transpose()?;
            Ok(Job {
                tenant_id,
                write,
                key,
                hash,
                payload,
            })
        })
        .await
    }

    /// How many points it writes.
    pub fn points(&self) -> usize {
        self.write.count()
    }

    /// Whether all its series are known to be there, so that nothing has to be made for it.
    pub fn is_ready(&self) -> bool {
        self.payload.is_some()
    }

    fn bytes(&self) -> usize {
        self.payload.as_ref().map_or(0, Vec::len)
    }
}

/// What a tenant stores, up to its quota.
struct Room<'a> {
    points: i64,
    bytes: i64,
    tenant: &'a tenant::Model,
}

impl Room<'_> {
    fn take(&mut self, points: i64, bytes: i64) -> Result<()> {
        for (what, stored, more, quota) in [
            ("points", self.points, points, self.tenant.quota_points),
            ("bytes", self.bytes, bytes, self.tenant.quota_bytes),
        ] {
            if let Some(quota) = quota.filter(|quota| stored + more > *quota) {
                return Err(Error::QuotaExceeded(format!(
                    "{} stores {stored} {what} and can't take {more}, for its quota is {quota}: delete \
                     some by `deletePoints`, keep them for fewer days by `setRetention`, or ask whoever runs this \
                     deployment for a larger quota",
                    self.tenant.slug
                )));
            }
        }
        self.points += points;
        self.bytes += bytes;
        Ok(())
    }
}

fn payload(write: &Write, ids: Vec<i32>) -> Result<Vec<u8>> {
    let columns: BTreeMap<i32, &Points> = ids.into_iter().zip(write.points()).collect();
    encode_batch(&columns).map_err(Error::bad_input)
}

fn size(count: usize) -> Result<i64> {
    i64::try_from(count).map_err(|error| Error::internal("counting", error))
}

/// Writes calls of one tenant in one transaction, and makes them last. Each of them is written as a whole or not at all,
/// for reasons of its own; what comes first is written first.
///
/// # Errors
/// [`Error::Internal`] with the database's words; then nothing of any of them is written. Of a single call
/// [`Error::Conflict`] when its key has been used in the last 24 h for something else.
pub async fn ingest<R: AtLeast<Editor>>(
    scope: TenantScope<R>,
    mut jobs: Vec<Job>,
    known: &Known,
    now: i64,
) -> Result<Vec<Result<Receipt>>> {
    let tenant_id = scope.tenant().id;
    if jobs.iter().any(|job| job.tenant_id != tenant_id) {
        return Err(Error::Internal("a call came to another tenant".into()));
    }
    let made = written_before(&scope, jobs.iter().filter(|job| job.payload.is_none()), now).await?;
    let mut learned = Vec::new();
    for (place, job) in jobs
        .iter_mut()
        .enumerate()
        .filter(|(_, job)| job.payload.is_none())
    {
        if job
            .key
            .as_ref()
            .is_some_and(|key| made.contains_key(key.as_str()))
        {
            // Not written again, whatever series it names.
            continue;
        }
        let keys: Vec<String> = job.write.keys().cloned().collect();
        let ids = series::store::find_or_make(&scope, &keys, now).await?;
        job.payload = Some(payload(&job.write, ids.clone())?);
        learned.push((place, ids));
    }

    let count = |jobs: &mut dyn Iterator<Item = &Job>| -> Result<(i64, i64)> {
        let (mut points, mut bytes) = (0, 0);
        for job in jobs {
            points += size(job.points())?;
            bytes += size(job.bytes())?;
        }
        Ok((points, bytes))
    };
    let (points, bytes) = count(&mut jobs.iter())?;
    // Holds the tenant's counter until the commit: `seq` rises in the order of commits, and of two
    // calls with the same key the second sees the first.
    let counter = advance(&scope, size(jobs.len())?, points, bytes).await?;
    let mut seq = counter.last_seq - size(jobs.len())?;
    let mut by_key = written_before(&scope, jobs.iter(), now).await?;

    let mut room = Room {
        points: counter.points - points,
        bytes: counter.bytes - bytes,
        tenant: scope.tenant(),
    };
    let mut receipts = Vec::new();
    let mut rows = Vec::new();
    let mut refused = Vec::new();
    for (place, job) in jobs.iter_mut().enumerate() {
        seq += 1;
        let before = job.key.as_ref().and_then(|key| by_key.get(key.as_str()));
        if let Some((hash, receipt)) = before {
            receipts.push(if hash[..] == job.hash[..] {
                Ok(Receipt {
                    replayed: true,
                    ..*receipt
                })
            } else {
                Err(Error::Conflict(
                    "this idempotency key was used within 24 hours for other points: use a new key for a new write".into(),
                ))
            });
            refused.push(place);
            continue;
        }
        let (first_at, last_at) = job.write.extent();
        if first_at < counter.kept_since(now) {
            let days = counter.retention.unwrap_or_default() / DAY;
            receipts.push(Err(Error::bad_input(format!(
                "the tenant keeps points for {days} days, and the earliest of these is older: leave out what is"
            ))));
            refused.push(place);
            continue;
        }
        if let Err(error) = room.take(size(job.points())?, size(job.bytes())?) {
            receipts.push(Err(error));
            refused.push(place);
            continue;
        }
        let number =
            |count: usize| i32::try_from(count).map_err(|error| Error::internal("counting", error));
        let receipt = Receipt {
            seq,
            points: number(job.points())?,
            series: number(job.write.keys().len())?,
            replayed: false,
            at: now,
        };
        rows.push(ActiveModel {
            tenant_id: Set(tenant_id),
            seq: Set(seq),
            key: Set(job.key.as_ref().map(|key| key.as_str().to_owned())),
            body_hash: Set(job.hash.to_vec()),
            points: Set(receipt.points),
            series: Set(receipt.series),
            created_at: Set(now),
            first_at: Set(first_at),
            last_at: Set(last_at),
            payload: Set(job.payload.clone().unwrap_or_default()),
        });
        if let Some(key) = &job.key {
            by_key.insert(key.as_str().to_owned(), (job.hash.to_vec(), receipt));
        }
        receipts.push(Ok(receipt));
    }
    if rows.is_empty() {
        // Nothing is written; what was counted in advance goes with the transaction.
        return Ok(receipts);
    }
    scope.insert_many(rows).await?;
    if !refused.is_empty() {
        let (points, bytes) = count(&mut refused.iter().map(|place| &jobs[*place]))?;
        advance(&scope, 0, -points, -bytes).await?;
    }
    scope.commit().await?;
    for (place, ids) in learned {
        known.learn(tenant_id, jobs[place].write.keys(), &ids);
    }
    Ok(receipts)
}

/// Takes `batches` places in the tenant's order of commits, and counts what is written.
async fn advance<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    batches: i64,
    points: i64,
    bytes: i64,
) -> Result<tenant_counter::Model> {
    use tenant_counter::Column::{Bytes, LastSeq, Points};
    let counter = scope
        .update::<tenant_counter::Entity>()
        .set(LastSeq, Expr::col(LastSeq).add(batches))
        .set(Points, Expr::col(Points).add(points))
        .set(Bytes, Expr::col(Bytes).add(bytes))
        .all()
        .await?;
    counter.into_iter().next().ok_or(Error::NotFound("tenant"))
}

/// What a write is known by, and its receipt.
type Written = (Vec<u8>, Receipt);

/// What was written by the keys of these calls, while they count.
async fn written_before<'a, R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    jobs: impl Iterator<Item = &'a Job>,
    now: i64,
) -> Result<HashMap<String, Written>> {
    let keys: Vec<&str> = jobs
        .filter_map(|job| job.key.as_ref().map(IdempotencyKey::as_str))
        .collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let batches = scope.find::<Entity>().filter(Column::Key.is_in(keys));
    let is_past = |batch: &Model| now - batch.created_at >= KEY_LIFETIME;
    let (past, kept): (Vec<Model>, Vec<Model>) =
        batches.all().await?.into_iter().partition(is_past);
    if !past.is_empty() {
        scope
            .update::<Entity>()
            .filter(Column::Seq.is_in(past.iter().map(|batch| batch.seq)))
            .set(Column::Key, Expr::value(None::<String>))
            .all()
            .await?;
    }
    let written = kept.into_iter().filter_map(|batch| {
        let receipt = Receipt {
            seq: batch.seq,
            points: batch.points,
            series: batch.series,
            replayed: true,
            at: batch.created_at,
        };
        Some((batch.key?, (batch.body_hash, receipt)))
    });
    Ok(written.collect())
}
