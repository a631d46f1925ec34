//! `sundial onboard`: what a tenant's namespace on a cluster logs in with. It runs where the database's owner may be known,
//! and the tenant's own namespace never learns more than its Secrets.

mod cluster;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Args;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;

use self::cluster::Cluster;
use crate::{
    command::{apply, open, operated, say},
    config::DatabaseConfig,
    error::{Error, Result},
    guard::{Admin, Pool, TenantScope, system},
    identity::{TokenName, create_token, known_token, revoke_token},
    request::{DAY, now},
};

/// What the server of a tenant logs in with.
const BACKEND: &str = "sundial-backend";
/// What its producer does.
const PRODUCER: &str = "sundial-producer";
/// How long a producer's token lives.
const TOKEN_DAYS: i64 = 90;
/// It is renewed when it has less left.
const RENEWED_DAYS: i64 = 30;

/// Give a tenant's namespace on a cluster what it logs in with. Run again, it changes nothing that holds.
#[derive(Args, Debug)]
#[command(
    long_about = "Give a tenant's namespace on a cluster what it logs in with. Run again, it changes nothing that holds.

It makes the tenant and its access rules what the file says, as `sundial apply` does; makes a database role that is bound to
the tenant; and writes two Secrets into the namespace, by the service account that it runs under:

  sundial-backend   database-url, and as far as given database-ca.crt, github-client-secret, github-webhook-secret
  sundial-producer  token: an ingest token for 90 days, renewed when it has less than 30 left

The role's password is derived from the key's file. Another key is another password: restart the tenant's servers then.",
    after_help = "Examples (in a pod of its own namespace, as the database's owner):
  sundial onboard tenant.yaml --namespace mcce-g1-prod \\
      --onboarding-key-file /etc/sundial/secret/onboarding-key"
)]
pub struct Onboard {
    /// YAML file as `sundial apply` takes it, with one tenant
    file: PathBuf,
    /// Namespace of the tenant, which must be there
    #[arg(long, env = "SUNDIAL_NAMESPACE", value_name = "NAME")]
    namespace: String,
    /// File with 32 or more random characters, which the database roles' passwords are derived from
    #[arg(long, env = "SUNDIAL_ONBOARDING_KEY_FILE", value_name = "FILE")]
    onboarding_key_file: PathBuf,
    /// File with the certificate of the database's authority, to be passed on
    #[arg(long, env = "SUNDIAL_DATABASE_CA_FILE", value_name = "FILE")]
    database_ca_file: Option<PathBuf>,
    /// File with the client secret of GitHub's OAuth app, to be passed on
    #[arg(long, env = "SUNDIAL_GITHUB_CLIENT_SECRET_FILE", value_name = "FILE")]
    github_client_secret_file: Option<PathBuf>,
    /// File with the secret of GitHub's webhook, to be passed on
    #[arg(long, env = "SUNDIAL_GITHUB_WEBHOOK_SECRET_FILE", value_name = "FILE")]
    github_webhook_secret_file: Option<PathBuf>,
    /// Apply the access rules even if the tenant is left without a known administrator
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Runs the command.
///
/// # Errors
/// [`Error::BadInput`] for a file that can't be used, [`Error::Conflict`] as `sundial apply`, and what the database and the
/// cluster say.
pub async fn run(command: Onboard) -> Result<()> {
    let [tenant] = &apply::read(&command.file)?[..] else {
        return Err(Error::bad_input(format!(
            "the file {} must hold one tenant: each is onboarded by itself",
            command.file.display()
        )));
    };
    let slug = &tenant.slug;
    let role = format!("sundial_{}", slug.replace('-', "_"));
    let password = password(&text(&command.onboarding_key_file)?, slug)?;
    let mut backend = BTreeMap::new();
    let url = login(&command.database.url, &role, &password)?;
    backend.insert("database-url".to_owned(), url);
    for (key, file) in [
        ("database-ca.crt", &command.database_ca_file),
        ("github-client-secret", &command.github_client_secret_file),
        ("github-webhook-secret", &command.github_webhook_secret_file),
    ] {
        // A volume shows no file for a key that its Secret does not have.
        let is_there = |file: &&PathBuf| !matches!(file.try_exists(), Ok(false));
        if let Some(file) = file.as_ref().filter(is_there) {
            backend.insert(key.to_owned(), text(file)?);
        }
    }
    // Before anything is written.
    let cluster = Cluster::around(&command.namespace)?;

    let pool = open(&command.database).await?;
    apply::write(&pool, std::slice::from_ref(tenant), command.force).await?;
    system::bind_application_role(&pool, &role, Some(&password), slug).await?;
    say(format_args!(
        "{role} has the tenant {slug} and nothing else"
    ))?;
    let outcome = cluster.write(BACKEND, backend).await?;
    say(format_args!("Secret {BACKEND}: {outcome}"))?;

    let outcome = renew(&pool, slug, &cluster).await?;
    say(format_args!("Secret {PRODUCER}: {outcome}"))?;
    pool.close().await;
    Ok(())
}

/// Sees to it that the producer has a token that lasts; what that took, in words.
async fn renew(pool: &Pool, slug: &str, cluster: &Cluster) -> Result<String> {
    let scope = operated(pool, slug).await?;
    let known = cluster.read(PRODUCER, "token").await?;
    if lasting(&scope, known).await? {
        return Ok("as it was".to_owned());
    }
    let name = TokenName::try_from("producer on the cluster".to_owned())?;
    let expiry = Some(now() + TOKEN_DAYS * DAY);
    let (id, token) = create_token(&scope, &name, None, expiry, now()).await?;
    // First, for whoever reads the Secret writes at once. The one before ends by itself.
    scope.commit().await?;
    let data = BTreeMap::from([("token".to_owned(), token)]);
    let written = cluster.write(PRODUCER, data).await;
    if written.is_err() {
        let scope = operated(pool, slug).await?;
        revoke_token(&scope, id, now()).await?;
        scope.commit().await?;
    }
    Ok(format!("{}, for {TOKEN_DAYS} days", written?))
}

/// Whether a token of this text counts, and will for a while.
async fn lasting(scope: &TenantScope<Admin>, token: Option<SecretString>) -> Result<bool> {
    let Some(token) = token else { return Ok(false) };
    let now = now();
    // Whoever has written it by hand may have ended its line.
    let token = token.expose_secret().trim().to_owned().into();
    let known = known_token(scope, &token, now).await?;
    let lasts = |at: Option<i64>| at.is_none_or(|at| at > now + RENEWED_DAYS * DAY);
    Ok(known.is_some_and(|known| lasts(known.expires_at)))
}

/// A file's text, without the line's end that editors put there.
fn text(file: &Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::bad_input(format!("the file {}: {error}", file.display())))?;
    Ok(text.trim_end().to_owned().into())
}

/// The password of a tenant's database role: the same for as long as the key is.
fn password(key: &SecretString, slug: &str) -> Result<SecretString> {
    let key = key.expose_secret();
    if key.len() < 32 {
        return Err(Error::bad_input(
            "the onboarding key must be 32 or more characters: `openssl rand -hex 32` makes one",
        ));
    }
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    let mac = mac.map_err(|error| Error::internal("deriving a password", error))?;
    let derived = mac
        .chain_update(format!("database role of {slug}"))
        .finalize()
        .into_bytes();
    let digits = derived.iter().map(|byte| format!("{byte:02x}"));
    Ok(digits.collect::<String>().into())
}

/// The owner's URL with another login.
fn login(owner: &SecretString, role: &str, password: &SecretString) -> Result<SecretString> {
    let mut url = Url::parse(owner.expose_secret())
        .ok()
        .filter(|url| url.scheme().starts_with("postgres"))
        .ok_or_else(|| {
            Error::bad_input(
                "onboarding needs PostgreSQL: give its owner's URL, `postgres://USER:PASSWORD@HOST:PORT/NAME`",
            )
        })?;
    // As parameters they would win over what stands in front of the host.
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !["user", "password"].contains(&name.as_ref()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    let set = url
        .set_username(role)
        .and_then(|()| url.set_password(Some(password.expose_secret())));
    set.map_err(|()| Error::bad_input("the database's URL has no host to log in to"))?;
    Ok(String::from(url).into())
}

#[cfg(test)]
mod tests;
