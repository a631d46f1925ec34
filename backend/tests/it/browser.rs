//! Somebody who signs in at GitHub, and has a cookie from then on.

use reqwest::{Client, Response, header::HeaderMap, redirect::Policy};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::app::{TestApp, json_of};

/// A browser in which somebody has signed in.
pub struct Browser {
    http: Client,
    endpoint: Url,
    /// The `Cookie` header that it sends.
    pub cookie: String,
}

impl Browser {
    /// One that calls itself `name`, in which `login` signs in.
    pub async fn sign_in(app: &TestApp, login: &str, name: &str) -> Self {
        let http = Client::builder().redirect(Policy::none()).user_agent(name);
        let http = http.build().unwrap();
        let begun = http.get(app.url.join("/auth/login").unwrap()).send();
        let begun = begun.await.unwrap();
        let under_way = set_cookie(begun.headers());
        let mut page = Url::parse(location(&begun)).unwrap();
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(page.query_pairs())
            .append_pair("login", login)
            .finish();
        page.set_query(None);
        let chosen = http.post(page).body(form);
        let chosen = chosen.header("content-type", "application/x-www-form-urlencoded");
        let chosen = chosen.send().await.unwrap();
        let back = http.get(location(&chosen)).header("cookie", under_way);
        let back = back.send().await.unwrap();
        assert_eq!(location(&back), "/");
        Browser {
            cookie: set_cookie(back.headers()),
            endpoint: app.endpoint(),
            http,
        }
    }

    /// What a page of the site gets at `endpoint`.
    pub async fn ask_at(&self, endpoint: &Url, query: &str, variables: Value) -> Response {
        self.send(endpoint, query, variables, "same-origin").await
    }

    /// What a page of `site` gets.
    pub async fn send(
        &self,
        endpoint: &Url,
        query: &str,
        variables: Value,
        site: &str,
    ) -> Response {
        let body = json!({ "query": query, "variables": variables });
        let request = self.http.post(endpoint.clone()).json(&body);
        let request = request.header("cookie", &self.cookie);
        request.header("sec-fetch-site", site).send().await.unwrap()
    }

    /// The answer to a query of the site's own page, errors and all.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        json_of(self.ask_at(&self.endpoint, query, variables).await).await
    }

    /// The status of a request at `endpoint`.
    pub async fn status(&self, endpoint: &Url) -> u16 {
        let answer = self.ask_at(endpoint, "{ serverTime }", json!({})).await;
        answer.status().as_u16()
    }
}

fn location(response: &Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}

/// Name and value of the first cookie that is set.
fn set_cookie(headers: &HeaderMap) -> String {
    let cookie = headers["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}
