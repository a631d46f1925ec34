//! Light, dark, or as the system has it. `asset/boot.js` sets what was kept before the first paint.

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use yew::prelude::*;

const KEY: &str = "theme";

/// What the reader chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The next one in turn.
    pub fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn kept() -> Self {
        let kept = storage().and_then(|storage| storage.get_item(KEY).ok().flatten());
        match kept.as_deref() {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::System,
        }
    }

    /// Shows it, and keeps it for the next visit where the browser allows that.
    fn apply(self) {
        if let Some(root) = root_element() {
            let shown = match self {
                Self::System => root.remove_attribute("data-theme"),
                chosen => root.set_attribute("data-theme", chosen.name()),
            };
            // Neither can fail: the name is a valid one.
            shown.ok();
        }
        if let Some(storage) = storage() {
            // Refused storage costs the reader a click on the next visit, no more.
            storage.set_item(KEY, self.name()).ok();
        }
    }
}

/// The theme, a callback that turns to the next, and whether what is painted now is dark.
#[hook]
pub fn use_theme() -> (Theme, Callback<()>, bool) {
    let theme = use_state_eq(Theme::kept);
    let system = use_state_eq(system_is_dark);
    {
        let system = system.setter();
        use_effect_with((), move |()| {
            let query = dark_query();
            let listener = Closure::<dyn Fn()>::new(move || system.set(system_is_dark()));
            if let Some(query) = &query {
                query.set_onchange(Some(listener.as_ref().unchecked_ref()));
            }
            move || {
                if let Some(query) = &query {
                    query.set_onchange(None);
                }
                drop(listener);
            }
        });
    }
    let turn = {
        let theme = theme.clone();
        Callback::from(move |()| {
            let next = theme.next();
            next.apply();
            theme.set(next);
        })
    };
    let is_dark = match *theme {
        Theme::System => *system,
        chosen => chosen == Theme::Dark,
    };
    (*theme, turn, is_dark)
}

fn dark_query() -> Option<web_sys::MediaQueryList> {
    web_sys::window()?
        .match_media("(prefers-color-scheme: dark)")
        .ok()?
}

fn system_is_dark() -> bool {
    dark_query().is_some_and(|query| query.matches())
}

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

fn root_element() -> Option<web_sys::Element> {
    web_sys::window()?.document()?.document_element()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_turns_come_back() {
        assert_eq!(Theme::System.next().next().next(), Theme::System);
    }
}
