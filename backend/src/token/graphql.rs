//! Ingest tokens in the API.

use async_graphql::{Context, ID, Object};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    access::graphql::requires,
    error::{Error, Result},
    guard::{Admin, TenantScope, table::ingest_token::Model},
    identity::{TokenName, create_token, find_token, list_tokens, revoke_token, rotate_token},
    request::{ContextExt, DAY, now},
    scalar::{DateTime, Duration, Timestamp, seal, unseal},
    series::limit,
    tenant::graphql::Role,
};

/// The longest overlap of a rotation, µs.
const MOST_OVERLAP: i64 = 366 * DAY;

/// What opens a tenant to a machine.
pub struct IngestToken {
    tenant: String,
    model: Model,
}

impl IngestToken {
    fn new(scope: &TenantScope<Admin>, model: Model) -> Self {
        let tenant = scope.tenant().slug.clone();
        IngestToken { tenant, model }
    }
}

/// What opens a tenant to a machine, as an EDITOR. It counts until it expires or is revoked.
#[Object]
impl IngestToken {
    /// Opaque: names the token to `rotateToken` and `revokeToken`, and opens nothing.
    async fn id(&self) -> ID {
        ID(seal(["token", &self.tenant, &self.model.id.to_string()]))
    }

    /// Its number within the tenant, as the audit log and the command `sundial token` have it.
    async fn number(&self) -> i32 {
        self.model.id
    }

    /// What it was made for. The two tokens of a rotation share one.
    async fn name(&self) -> &str {
        &self.model.name
    }

    /// Patterns of the series that it may write and see: a series must be meant by one of them. Null for all series.
    async fn series(&self) -> Option<Vec<&str>> {
        let patterns = self.model.series.as_deref()?;
        Some(patterns.lines().collect())
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.model.created_at)
    }

    /// From when on it is refused; null for never.
    async fn expires_at(&self) -> Option<DateTime> {
        self.model.expires_at.map(DateTime)
    }

    /// Since when it is refused; null when it was not revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.model.revoked_at.map(DateTime)
    }

    /// Its last request, to the minute; null when it was never used.
    async fn used_at(&self) -> Option<DateTime> {
        self.model.used_at.map(DateTime)
    }
}

/// A token that has just been made.
pub struct NewToken {
    token: IngestToken,
    secret: SecretString,
}

/// A token that has just been made.
#[Object]
impl NewToken {
    /// What is known of it from now on.
    async fn token(&self) -> &IngestToken {
        &self.token
    }

    /// The token itself, `sdl_…`, for `Authorization: Bearer`. Shown this once, and kept nowhere.
    async fn secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

/// What can be done to ingest tokens.
#[derive(Default)]
pub struct TokenMutation;

#[Object]
impl TokenMutation {
    /// Makes an ingest token for the tenant. A tenant keeps 500; the oldest that counts no more makes room for another.
    #[graphql(directive = requires::apply(Role::Admin))]
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(
            desc = "What it is for, in 1 to 100 characters: `clock on web-1`. Never a secret: the audit log has it."
        )]
        name: String,
        #[graphql(
            desc = "1 to 50 patterns (`clock.*{producer=\"clock\"}`): it may write and see the series that one of them means, and no others. Left out: all series."
        )]
        series: Option<Vec<String>>,
        #[graphql(desc = "Refused from then on. Left out: never.")] expires_at: Option<Timestamp>,
    ) -> Result<NewToken> {
        let scope = ctx.writing::<Admin>(&tenant).await?;
        let name = TokenName::try_from(name)?;
        let patterns = series.map(|texts| limit::patterns(&texts)).transpose()?;
        let expiry = expires_at.map(|at| at.0);
        let made = create_token(&scope, &name, patterns.as_deref(), expiry, now()).await?;
        show(scope, made).await
    }

    /// Makes a second token of the name and with the limits of the first, which counts a while longer, so that its users
    /// can be moved over in between. A CONFLICT when the first counts no more.
    #[graphql(directive = requires::apply(Role::Admin))]
    async fn rotate_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(desc = "The first token's.")] id: ID,
        #[graphql(
            desc = "How long the first one still counts, at most 366d; a day has 24 hours here. Left out: 24h. Revoke it to have it refused at once."
        )]
        overlap: Option<Duration>,
        #[graphql(
            desc = "The second one is refused from then on. Left out: it lives as long as the first was made for."
        )]
        expires_at: Option<Timestamp>,
    ) -> Result<NewToken> {
        let scope = ctx.writing::<Admin>(&tenant).await?;
        let number = number(&scope, &id)?;
        let overlap = overlap.map_or(DAY, |overlap| overlap.0.about());
        if overlap > MOST_OVERLAP {
            return Err(Error::bad_input(
                "the first token would count for more than 366d: choose a shorter overlap",
            ));
        }
        let expiry = expires_at.map(|at| at.0);
        let made = rotate_token(&scope, number, overlap, expiry, now()).await?;
        show(scope, made).await
    }

    /// Has a token refused from now on, by every replica, at its next request; its subscriptions end within 5 seconds.
    /// Revoking twice is revoking once.
    #[graphql(directive = requires::apply(Role::Admin))]
    async fn revoke_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(desc = "The token's.")] id: ID,
    ) -> Result<IngestToken> {
        let scope = ctx.writing::<Admin>(&tenant).await?;
        let number = number(&scope, &id)?;
        revoke_token(&scope, number, now()).await?;
        let token = IngestToken::new(&scope, find_token(&scope, number).await?);
        scope.commit().await?;
        Ok(token)
    }
}

/// The number of the scope's tenant's token that `id` names. Another tenant's is as absent as none.
fn number(scope: &TenantScope<Admin>, id: &ID) -> Result<i32> {
    unseal("token", id)
        .filter(|[_, tenant, _]| *tenant == scope.tenant().slug)
        .and_then(|[_, _, number]| number.parse().ok())
        .ok_or(Error::NotFound("ingest token"))
}

async fn show(
    scope: TenantScope<Admin>,
    (number, secret): (i32, SecretString),
) -> Result<NewToken> {
    let token = IngestToken::new(&scope, find_token(&scope, number).await?);
    scope.commit().await?;
    Ok(NewToken { token, secret })
}

/// The tokens of the tenant, at most 500, the oldest first, those included that count no more.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn all(scope: &TenantScope<Admin>) -> Result<Vec<IngestToken>> {
    let rows = list_tokens(scope).await?.into_iter();
    Ok(rows.map(|row| IngestToken::new(scope, row)).collect())
}
