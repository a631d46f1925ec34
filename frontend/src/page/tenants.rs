//! The tenants open to the reader, PROD and TEST of a group side by side.

use std::collections::BTreeMap;
use std::rc::Rc;

use gloo_timers::callback::Interval;
use yew::prelude::*;

use super::no_tenant::NoTenant;
use crate::api::Failure;
use crate::component::age::Age;
use crate::component::link::Go;
use crate::component::note::FailureNote;
use crate::component::shell::{Shell, badge};
use crate::figure;
use crate::hook::use_remote;
use crate::route::Route;
use crate::session::{self, Session, TenantLine};
use crate::time::{MINUTE, Micros};

/// How often the ages are read again, in milliseconds.
const EVERY: u32 = 10_000;

/// Properties of [`TenantsPage`].
#[derive(PartialEq, Properties)]
pub struct TenantsPageProps {
    /// Who is reading.
    pub session: Session,
}

/// See the module.
#[component]
pub fn TenantsPage(props: &TenantsPageProps) -> Html {
    let session = &props.session;
    let tenants = use_remote((), |()| session::read_tenants());
    {
        let again = tenants.again.clone();
        use_effect_with((), move |()| {
            let interval = Interval::new(EVERY, move || again.emit(()));
            move || drop(interval)
        });
    }
    {
        let lost = session.lost.clone();
        use_effect_with(tenants.failure.clone(), move |failure| {
            if *failure == Some(Failure::SignedOut) {
                lost.emit(());
            }
        });
    }
    let Some(lines) = &tenants.data else {
        let body = match &tenants.failure {
            Some(failure) => html! {
                <FailureNote what="The tenants could not be loaded." failure={failure.clone()} again={tenants.again.clone()}/>
            },
            None => skeleton(),
        };
        return html! {
            <Shell title="Tenants" session={session.clone()}><header class="head"><div><h1>{ "Tenants" }</h1></div></header>{ body }</Shell>
        };
    };
    if lines.is_empty() {
        return html! { <NoTenant session={session.clone()} again={tenants.again.clone()}/> };
    }
    let groups = grouped(lines);
    html! {
        <Shell title="Tenants" session={session.clone()}>
            <header class="head"><div><h1>{ "Tenants" }</h1><p>{ sentence(lines, groups.len(), session.now()) }</p></div></header>
            if let Some(failure) = &tenants.failure {
                <FailureNote what="These are not the newest ages." failure={failure.clone()} again={tenants.again.clone()}/>
            }
            <div class="pairs">
                <div class="col none t3">{ "Group" }</div>
                <div class="col">{ "Production" }</div>
                <div class="col test">{ "Test" }</div>
                { for groups.iter().map(|(group, pair)| group_rows(group, pair, session.skew)) }
            </div>
        </Shell>
    }
}

/// The tenants of a group.
#[derive(Default)]
struct Pair<'a> {
    prod: Vec<&'a TenantLine>,
    test: Vec<&'a TenantLine>,
}

fn grouped(lines: &[TenantLine]) -> BTreeMap<&str, Pair<'_>> {
    let mut groups: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
    for line in lines {
        let pair = groups.entry(&line.group).or_default();
        if line.prod {
            pair.prod.push(line)
        } else {
            pair.test.push(line)
        }
    }
    groups
}

fn sentence(lines: &Rc<Vec<TenantLine>>, groups: usize, now: Micros) -> String {
    let verb = if lines.len() == 1 { "is" } else { "are" };
    let open = format!(
        "{} in {} {verb} open to you.",
        figure::counted(lines.len() as u64, "tenant"),
        figure::counted(groups as u64, "group"),
    );
    let is_quiet = |line: &&TenantLine| line.last_at.is_none_or(|at| now - at > 5 * MINUTE);
    match lines.iter().filter(is_quiet).count() {
        0 if lines.len() == 1 => format!("{open} It had a point within the last 5 minutes."),
        0 => format!("{open} All had a point within the last 5 minutes."),
        1 if lines.len() == 1 => format!("{open} It has had no point for 5 minutes."),
        1 => format!("{open} 1 has had no point for 5 minutes."),
        quiet => format!("{open} {quiet} have had no point for 5 minutes."),
    }
}

fn group_rows(group: &str, pair: &Pair<'_>, skew: Micros) -> Html {
    let rows = pair.prod.len().max(pair.test.len());
    html! {
        { for (0..rows).map(|row| html! {
            <section class="pair" aria-label={group.to_owned()}>
                if row == 0 { <h2>{ group }</h2> } else { <div class="hide-s"></div> }
                { cell(pair.prod.get(row).copied(), true, row == 0, skew) }
                { cell(pair.test.get(row).copied(), false, row == 0, skew) }
            </section>
        }) }
    }
}

fn cell(line: Option<&TenantLine>, prod: bool, first: bool, skew: Micros) -> Html {
    let side = if prod { "prod" } else { "test" };
    let Some(line) = line else {
        let none = format!("No {} tenant that you can see.", side.to_uppercase());
        return html! { <div class={classes!("tenant", "nil", side)}><p>{ if first { none } else { String::new() } }</p></div> };
    };
    html! {
        <article class={classes!("tenant", side)}>
            <h3>
                { badge(prod) }
                <Go to={Route::Tenant { slug: line.slug.clone() }}>{ line.slug.clone() }</Go>
                <span class="role">{ line.role }</span>
            </h3>
            <p class="t2">{ line.name.clone() }</p>
            <div class="facts">
                if let Some(at) = line.last_at {
                    <span>{ "Last point " }<Age {at} {skew}/></span>
                } else {
                    <span>{ "No points yet" }</span>
                }
            </div>
        </article>
    }
}

fn skeleton() -> Html {
    html! {
        <div class="shape wait" aria-busy="true">
            <p class="sr" role="status">{ "Loading tenants" }</p>
            <span class="skel tall"></span><span class="skel block"></span><span class="skel block"></span>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(slug: &str, group: &str, prod: bool) -> TenantLine {
        TenantLine {
            slug: slug.to_owned(),
            name: slug.to_owned(),
            group: group.to_owned(),
            prod,
            role: "VIEWER",
            last_at: Some(0),
        }
    }

    #[test]
    fn pairs_stand_together() {
        let lines = [
            line("a-test", "a", false),
            line("b-prod", "b", true),
            line("a-prod", "a", true),
        ];
        let groups = grouped(&lines);
        assert_eq!(groups.keys().copied().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((groups["a"].prod.len(), groups["a"].test.len()), (1, 1));
        assert!(groups["b"].test.is_empty());
    }

    #[test]
    fn the_sentence_says_what_needs_a_look() {
        let one = Rc::new(vec![line("a", "a", true)]);
        assert_eq!(
            sentence(&one, 1, 10 * MINUTE),
            "1 tenant in 1 group is open to you. It has had no point for 5 minutes."
        );
        assert!(sentence(&one, 1, MINUTE).ends_with(" It had a point within the last 5 minutes."));
        let mut two = vec![line("a", "a", true), line("b", "a", false)];
        let all = sentence(&Rc::new(two.clone()), 1, MINUTE);
        assert!(all.ends_with(" All had a point within the last 5 minutes."));
        two[0].last_at = None;
        let all = sentence(&Rc::new(two), 1, MINUTE);
        assert!(all.ends_with(" 1 has had no point for 5 minutes."));
    }
}
