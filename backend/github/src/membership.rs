//! The calls about organisations and teams.

use axum::extract::{Path, Query, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Said, answer, not_found};
use crate::restriction;
use crate::shape::{organization, simple_user, team_of};
use crate::state::{Account, Membership, Shared, State};

const SCOPE: Option<&str> = Some("read:org");

#[derive(Deserialize)]
pub struct Paging {
    per_page: Option<usize>,
    page: Option<usize>,
    state: Option<String>,
}

pub async fn list(
    Extract(shared): Extract<Shared>,
    headers: HeaderMap,
    Query(paging): Query<Paging>,
) -> Response {
    answer(&shared, &headers, SCOPE, |account| {
        let wanted = |active: bool| match paging.state.as_deref() {
            Some("active") => active,
            Some("pending") => !active,
            _ => true,
        };
        let held = account
            .memberships
            .iter()
            .filter(|held| wanted(held.active) && restriction::shows(&shared, &held.organization));
        let all = held.map(|held| shape(&shared, account, held));
        let path = "/user/memberships/orgs";
        Ok(paged(&shared, account, path, &paging, all.collect()))
    })
}

pub async fn one(
    Extract(shared): Extract<Shared>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Response {
    answer(&shared, &headers, SCOPE, |account| {
        let named = |held: &&Membership| held.organization.eq_ignore_ascii_case(&name);
        let held = account.memberships.iter().find(named);
        let held = held.ok_or_else(|| Box::new(not_found()))?;
        restriction::check(&shared, &held.organization)?;
        Ok(Said::just(shape(&shared, account, held)))
    })
}

pub async fn teams(
    Extract(shared): Extract<Shared>,
    headers: HeaderMap,
    Query(paging): Query<Paging>,
) -> Response {
    answer(&shared, &headers, SCOPE, |account| {
        let shown = account
            .teams
            .iter()
            .filter(|team| restriction::shows(&shared, &team.organization));
        let all = shown.map(|team| team_of(&shared, &team.organization, &team.slug));
        Ok(paged(
            &shared,
            account,
            "/user/teams",
            &paging,
            all.collect(),
        ))
    })
}

/// The organisations that an account shows to everybody, whoever asks.
pub async fn public(
    Extract(shared): Extract<Shared>,
    headers: HeaderMap,
    Path(login): Path<String>,
    Query(paging): Query<Paging>,
) -> Response {
    answer(&shared, &headers, None, |_| {
        let shown = shared.with(|inner| Some(inner.account(&login)?.public.clone()));
        let shown = shown.ok_or_else(|| Box::new(not_found()))?;
        let all = shown.iter().map(|name| organization(&shared, name));
        let path = format!("/users/{login}/orgs");
        let (body, link) = page(&shared, &path, &paging, all.collect());
        Ok(Said {
            link,
            ..Said::just(body)
        })
    })
}

fn shape(shared: &State, account: &Account, held: &Membership) -> Value {
    let organization = organization(shared, &held.organization);
    json!({
        "url": format!("{}/api/v3/orgs/{}/memberships/{}", shared.url, held.organization, account.login),
        "state": if held.active { "active" } else { "pending" },
        "role": "member",
        "organization_url": organization["url"],
        "organization": organization,
        "user": simple_user(shared, account),
    })
}

/// One page of a list of the account's own, which tells what is left out of it.
fn paged(shared: &State, account: &Account, path: &str, paging: &Paging, all: Vec<Value>) -> Said {
    let (body, link) = page(shared, path, paging, all);
    let sso = restriction::left_out(shared, account);
    Said { body, link, sso }
}

/// One page of a list, and the `Link` header to the others.
fn page(shared: &State, path: &str, paging: &Paging, all: Vec<Value>) -> (Value, Option<String>) {
    let size = paging.per_page.unwrap_or(30).clamp(1, 100);
    let page = paging.page.unwrap_or(1).max(1);
    let last = all.len().div_ceil(size).max(1);
    let state = paging
        .state
        .as_ref()
        .map(|state| format!("&state={state}"))
        .unwrap_or_default();
    let to = |number: usize, rel: &str| {
        format!(
            "<{}/api/v3{path}?per_page={size}&page={number}{state}>; rel=\"{rel}\"",
            shared.url
        )
    };
    let mut links = Vec::new();
    if page > 1 {
        links.extend([to(page - 1, "prev"), to(1, "first")]);
    }
    if page < last {
        links.extend([to(page + 1, "next"), to(last, "last")]);
    }
    let items = all.into_iter().skip((page - 1) * size).take(size).collect();
    (
        Value::Array(items),
        (!links.is_empty()).then(|| links.join(", ")),
    )
}
