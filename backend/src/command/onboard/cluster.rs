//! The Secrets of one namespace, by the Kubernetes API
//! (<https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/>).

use std::{collections::BTreeMap, path::Path, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::{Certificate, Client, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::error::{Error, Result};

/// Where a pod finds its service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Longest time of one request.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The cluster that the program runs on, for one namespace.
pub(super) struct Cluster {
    http: Client,
    token: SecretString,
    /// Of the namespace's Secrets.
    url: String,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    data: BTreeMap<String, String>,
    metadata: serde_json::Value,
}

/// What the API says of what it does not do.
#[derive(Deserialize)]
struct Status {
    message: String,
}

impl Cluster {
    /// The cluster around this pod, by its service account.
    ///
    /// # Errors
    /// [`Error::BadInput`] where there is none.
    pub(super) fn around(namespace: &str) -> Result<Self> {
        let host = std::env::var("KUBERNETES_SERVICE_HOST").unwrap_or_default();
        let port = std::env::var("KUBERNETES_SERVICE_PORT").unwrap_or_else(|_| "443".into());
        let file = |name: &str| {
            let file = Path::new(ACCOUNT).join(name);
            std::fs::read_to_string(&file).map_err(|error| {
                Error::bad_input(format!(
                    "the service account's {}: {error}. Run this in a pod whose service account may write the Secrets of \
                     {namespace}, with its token mounted",
                    file.display()
                ))
            })
        };
        let (token, authority) = (file("token")?, file("ca.crt")?);
        if host.is_empty() {
            return Err(Error::bad_input(
                "KUBERNETES_SERVICE_HOST is not set: run this in a pod",
            ));
        }
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host,
        };
        Self::at(
            &format!("https://{host}:{port}"),
            &authority,
            token.trim(),
            namespace,
        )
    }

    pub(super) fn at(server: &str, authority: &str, token: &str, namespace: &str) -> Result<Self> {
        // A namespace's name is a DNS label: what is none would be another path.
        let is_label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if namespace.is_empty() || namespace.len() > 63 || !namespace.bytes().all(is_label) {
            return Err(Error::bad_input(format!(
                "`{namespace}` is no namespace: 1 to 63 of a-z, 0-9 and -"
            )));
        }
        let fault = |error| Error::internal("the client of the cluster", error);
        let known = Certificate::from_pem_bundle(authority.as_bytes()).map_err(fault)?;
        let http = Client::builder()
            .user_agent(concat!("sundial/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .tls_certs_only(known);
        Ok(Cluster {
            http: http.build().map_err(fault)?,
            token: token.to_owned().into(),
            url: format!("{server}/api/v1/namespaces/{namespace}/secrets"),
        })
    }

    /// One value of a Secret, if it is there.
    ///
    /// # Errors
    /// What the cluster says.
    pub(super) async fn read(&self, name: &str, key: &str) -> Result<Option<SecretString>> {
        let secret = self.find(name).await?;
        let value = secret.and_then(|mut secret| secret.data.remove(key));
        let value =
            value.and_then(|value| String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok());
        Ok(value.map(SecretString::from))
    }

    /// Makes a Secret hold `data`, and no less than it held; what that took, in words.
    ///
    /// # Errors
    /// What the cluster says.
    pub(super) async fn write(
        &self,
        name: &str,
        data: BTreeMap<String, SecretString>,
    ) -> Result<&'static str> {
        let data = data
            .into_iter()
            .map(|(key, value)| (key, BASE64_STANDARD.encode(value.expose_secret())));
        let data: BTreeMap<String, String> = data.collect();
        let Some(known) = self.find(name).await? else {
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": { "name": name, "labels": {
                    "app.kubernetes.io/part-of": "sundial", "app.kubernetes.io/managed-by": "sundial-onboard",
                } },
                "data": data,
            });
            self.ask(Method::POST, "", Some(&secret)).await?;
            return Ok("made");
        };
        let mut whole = known.data.clone();
        whole.extend(data);
        if whole == known.data {
            return Ok("as it was");
        }
        // With the version that was read: what somebody else has changed since is a conflict, and not lost.
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": known.metadata, "data": whole,
        });
        self.ask(Method::PUT, name, Some(&secret)).await?;
        Ok("changed")
    }

    async fn find(&self, name: &str) -> Result<Option<Secret>> {
        self.ask(Method::GET, name, None).await
    }

    /// The answer to one request; `None` where what it names is not there.
    async fn ask(
        &self,
        method: Method,
        name: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Option<Secret>> {
        let url = match name {
            "" => self.url.clone(),
            name => format!("{}/{name}", self.url),
        };
        let is_read = method == Method::GET;
        let mut request = self
            .http
            .request(method, &url)
            .bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        let fault = |error: reqwest::Error| {
            Error::Conflict(format!(
                "the cluster's API can't be asked at {url}: {error}"
            ))
        };
        let answer = request.send().await.map_err(fault)?;
        let status = answer.status();
        let text = answer.text().await.map_err(fault)?;
        if status == StatusCode::NOT_FOUND && is_read {
            return Ok(None);
        }
        if !status.is_success() {
            // What it says of a Secret does not hold its data.
            let told = serde_json::from_str(&text)
                .map_or_else(|_| String::new(), |told: Status| told.message);
            return Err(Error::Conflict(format!(
                "the cluster's API refuses ({status}): {told}. The service account needs `create` of Secrets in the \
                 namespace, and `get` and `update` of sundial-backend and sundial-producer"
            )));
        }
        let secret = serde_json::from_str(&text);
        secret
            .map(Some)
            .map_err(|error| Error::internal("reading a Secret", error))
    }
}
