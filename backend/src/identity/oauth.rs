//! GitHub's web flow: authorization code with PKCE (S256) and `state`.
//! <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>

use axum::http::{self, StatusCode};
use futures::future::BoxFuture;
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, TokenResponse, TokenUrl, basic::BasicClient,
};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    error::Result,
    identity::{
        github::{Fault, below, bytes},
        login::Stop,
    },
};

const SCOPES: [&str; 2] = ["read:user", "read:org"];

type Endpoints =
    BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Our OAuth app.
pub(super) struct OAuth {
    app: Endpoints,
    http: Carrier,
}

/// A sign-in that begins: where the browser goes, and what it must come back with.
pub(super) struct Authorization {
    pub(super) url: Url,
    pub(super) state: SecretString,
    pub(super) verifier: SecretString,
}

impl OAuth {
    pub(super) fn new(
        http: Client,
        github: &Url,
        callback: Url,
        client_id: &str,
        client_secret: &SecretString,
    ) -> Result<Self> {
        let endpoint = |name| below(github, &["login", "oauth", name]);
        let app = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_client_secret(ClientSecret::new(client_secret.expose_secret().to_owned()))
            .set_auth_uri(AuthUrl::from_url(endpoint("authorize")?))
            .set_token_uri(TokenUrl::from_url(endpoint("access_token")?))
            .set_redirect_uri(RedirectUrl::from_url(callback))
            // GitHub documents the secret as a parameter.
            .set_auth_type(AuthType::RequestBody);
        Ok(OAuth {
            app,
            http: Carrier(http),
        })
    }

    /// Begins a sign-in, with a new `state` and PKCE verifier.
    pub(super) fn begin(&self) -> Authorization {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = self
            .app
            .authorize_url(|| CsrfToken::new_random_len(32))
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .url();
        Authorization {
            url,
            state: state.into_secret().into(),
            verifier: verifier.into_secret().into(),
        }
    }

    /// Exchanges `code` for the person's token.
    ///
    /// # Errors
    /// [`Stop::Expired`] when GitHub does not know the code or the verifier is not its own,
    /// [`Stop::NotConfigured`] when it refuses our app, [`Stop::Unavailable`] when it can't be asked.
    pub(super) async fn exchange(
        &self,
        code: SecretString,
        verifier: SecretString,
    ) -> Result<SecretString, Stop> {
        let (code, verifier) = (code.expose_secret(), verifier.expose_secret());
        let asked = self
            .app
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .request_async(&self.http);
        match asked.await {
            Ok(granted) => Ok(granted.access_token().secret().as_str().into()),
            Err(RequestTokenError::ServerResponse(said)) => match said.error().as_ref() {
                "bad_verification_code" => Err(Stop::Expired),
                error => {
                    tracing::error!(
                        error,
                        "GitHub refuses the OAuth app: check its id, secret and callback"
                    );
                    Err(Stop::NotConfigured)
                }
            },
            // The causes of others can hold what GitHub answered, a token among it.
            Err(_) => {
                tracing::warn!("GitHub did not exchange a code for a token");
                Err(Stop::Unavailable)
            }
        }
    }
}

/// Carries requests of the flow to GitHub and answers back.
struct Carrier(Client);

impl<'c> AsyncHttpClient<'c> for Carrier {
    type Error = Unanswered;
    type Future = BoxFuture<'c, Result<HttpResponse, Unanswered>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = request.try_into().map_err(|_| Unanswered)?;
            let response = self.0.execute(request).await.map_err(|_| Unanswered)?;
            let mut answer = http::Response::default();
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            *answer.body_mut() = bytes(response).await?;
            // GitHub says 200 to what it refuses; the standard (RFC 6749, 5.2), 400.
            if serde_json::from_slice::<serde_json::Value>(answer.body())
                .is_ok_and(|said| said.get("error").is_some())
            {
                *answer.status_mut() = StatusCode::BAD_REQUEST;
            }
            Ok(answer)
        })
    }
}

/// GitHub gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("GitHub gave no answer")]
struct Unanswered;

impl From<Fault> for Unanswered {
    fn from(_: Fault) -> Self {
        Unanswered
    }
}
