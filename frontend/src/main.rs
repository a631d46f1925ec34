//! Sundial's web page: who is signed in, the tenants open to them, and each tenant's points as they come.
//!
//! It knows the server by `backend/schema.graphql` alone. `api` is the only way there, `feed` and `track` hold what came,
//! pages are made of components.

mod api;
mod app;
mod component;
mod feed;
mod figure;
mod hook;
mod page;
mod route;
mod session;
mod time;
mod track;

fn main() {
    let root = web_sys::window().and_then(|window| window.document()?.get_element_by_id("app"));
    if let Some(root) = root {
        yew::Renderer::<app::App>::with_root(root).render();
    }
}
