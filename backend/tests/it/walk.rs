//! The whole schema, asked by everybody: each field of it, and each argument that could name what is another's.
//!
//! [`table::FIELDS`] says how each field is asked and who gets what; [`table::TEXTS`] gives each place that takes text what another
//! tenant has, and what nobody has. A field or such a place of the schema that is in neither table fails the first
//! test: whoever adds one adds a line here. What is another's and what is not there must be the same answer to the byte:
//! status, headers and body.

mod coverage;
mod table;
mod timing;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sundial::scalar::seal;

use crate::{
    app::{ABSENT, FOREIGN, PROD, TestApp},
    walk::{
        coverage::Schema,
        table::{
            FIELDS, Names,
            Open::{self, Anybody, Explained, Known, Once, People, Within},
            TEXTS,
        },
        world::{ADMINISTRATORS_BROWSER, Answer, Asker, TENANTS, World, mark},
    },
};

on_each_fence! {
    every_field_and_text_of_the_schema_has_its_case,
    each_field_answers_its_own_askers_alone,
    own_data_is_the_same_whatever_others_have,
    what_is_named_of_others_is_as_absent,
}

async fn every_field_and_text_of_the_schema_has_its_case(app: TestApp) {
    let schema = Schema::of(&app).await;
    let asked: BTreeSet<String> = FIELDS
        .iter()
        .flat_map(|(_, document)| schema.asked(document))
        .collect();
    assert_eq!(
        schema.fields().difference(&asked).collect::<Vec<_>>(),
        [""; 0],
        "these fields have no case: add each to FIELDS"
    );
    let texts: BTreeSet<String> = TEXTS.iter().map(|(place, _, _)| (*place).into()).collect();
    assert_eq!(
        schema
            .texts()
            .symmetric_difference(&texts)
            .collect::<Vec<_>>(),
        [""; 0],
        "these have no case, or are cases of nothing: see TEXTS"
    );
    for (place, _, document) in TEXTS {
        // It is really that place which takes what is named.
        let name = place.trim_end_matches(')').rsplit(['.', '(']).next();
        let name = name.unwrap();
        let given = [format!("{name}: $it"), format!("{name}: [$it")];
        assert!(
            given.iter().any(|given| document.contains(given)),
            "{place}"
        );
        schema.asked(document);
    }
}

async fn each_field_answers_its_own_askers_alone(app: TestApp) {
    let world = World::new(app).await;
    for tenant in TENANTS {
        world.fill(tenant).await;
    }
    for (open, document) in FIELDS {
        let mut refusals = BTreeMap::new();
        for asker in &world.askers {
            let absent = world.ask(asker, document, ABSENT, "").await;
            for tenant in TENANTS {
                let answer = world.ask(asker, document, tenant, "").await;
                let case = Case {
                    open: *open,
                    document,
                    asker,
                    tenant,
                };
                case.check(&world, &answer, &absent);
                if !asker.counts {
                    refusals.insert((asker.name, tenant), answer);
                }
            }
        }
        // A token that was revoked is one that was never given.
        for tenant in TENANTS {
            assert_eq!(
                refusals[&("revoked token", tenant)],
                refusals[&("forged token", tenant)]
            );
        }
    }
}

/// One question of one asker.
struct Case<'a> {
    open: Open,
    document: &'a str,
    asker: &'a Asker,
    tenant: &'a str,
}

impl Case<'_> {
    /// That `answer` is what the asker is to get; `absent` is what they get of a tenant that is not there.
    fn check(&self, world: &World, answer: &Answer, absent: &Answer) {
        let Case {
            open,
            document,
            asker,
            tenant,
        } = *self;
        let context = format!("{} asks of {tenant}: {document}: {answer:?}", asker.name);
        for closed in asker.closed() {
            assert!(!world.reveals(answer, closed), "{closed} shows: {context}");
        }
        let is_told_who = answer.body.contains(ADMINISTRATORS_BROWSER);
        assert!(!is_told_who || asker.name == "administrator", "{context}");
        if !asker.counts && !matches!(open, Explained) {
            assert_eq!(answer, absent, "{context}");
            if document.starts_with("subscription") {
                assert_eq!(answer.status, 4401, "{context}");
            } else {
                assert_eq!(answer.status, 401, "{context}");
                assert_eq!(answer.code(), "UNAUTHENTICATED", "{context}");
            }
            return;
        }
        match open {
            Anybody => assert!(is_whole(answer), "{context}"),
            Explained => {
                assert!(is_whole(answer), "{context}");
                if asker.role(tenant).is_none() && !asker.is_colleague(tenant) {
                    assert_eq!(answer, absent, "{context}");
                }
            }
            Known | People | Within(_) | Once(_) if asker.is_anonymous() => {
                assert_eq!(answer, absent, "{context}");
                assert_eq!(answer.code(), "UNAUTHENTICATED", "{context}");
            }
            Known => assert!(is_whole(answer), "{context}"),
            People if asker.is_machine() => assert_eq!(answer.code(), "FORBIDDEN", "{context}"),
            // A session ends once.
            People => assert!(
                is_whole(answer) || answer.code() == "NOT_FOUND",
                "{context}"
            ),
            Once(least) if asker.role(tenant).is_some_and(|role| role >= least) => assert!(
                is_whole(answer) && has_data(answer) || answer.code() == "NOT_FOUND",
                "{context}"
            ),
            Within(least) | Once(least) => match asker.role(tenant) {
                Some(role) if role >= least => {
                    assert!(is_whole(answer) && has_data(answer), "{context}")
                }
                Some(_) => assert_eq!(answer.code(), "FORBIDDEN", "{context}"),
                None => {
                    assert_eq!(answer, absent, "{context}");
                    if document.starts_with("query") {
                        assert!(is_whole(answer) && !has_data(answer), "{context}");
                    } else {
                        assert_eq!(answer.code(), "NOT_FOUND", "{context}");
                    }
                }
            },
        }
    }
}

/// Whether nothing went wrong.
fn is_whole(answer: &Answer) -> bool {
    let told = answer.json();
    told.get("errors").is_none() && told["type"] != "error"
}

/// Whether the field that was asked for is there.
fn has_data(answer: &Answer) -> bool {
    let told = answer.json();
    let data = match &told["payload"]["data"] {
        Value::Null => &told["data"],
        data => data,
    };
    // A list of what is not there holds nothing.
    let is_there = |value: &Value| match value.as_array() {
        Some(items) if !items.is_empty() => items.iter().any(|item| !item.is_null()),
        _ => !value.is_null(),
    };
    let fields = data.as_object();
    fields.is_some_and(|fields| fields.values().all(is_there))
}

/// What the tenant's best reader gets for each question about it.
async fn read_all(world: &World, asker: &Asker, tenant: &str) -> Vec<Value> {
    let mut read = Vec::new();
    for (open, document) in FIELDS {
        if matches!(open, Within(_)) && !document.starts_with("mutation") {
            read.push(world.ask(asker, document, tenant, "").await.json());
        }
    }
    read
}

async fn own_data_is_the_same_whatever_others_have(app: TestApp) {
    let world = World::new(app).await;
    let asker = world.asker("administrator");
    world.fill(PROD).await;
    let before = read_all(&world, asker, PROD).await;
    for tenant in &TENANTS[1..] {
        world.fill(tenant).await;
    }
    assert_eq!(read_all(&world, asker, PROD).await, before);
}

/// What `tenant` has beside what nobody has: the texts of each group must all be answered alike.
fn named(world: &World, what: Names, tenant: &str) -> Vec<Vec<String>> {
    let mark = mark(tenant);
    let own = format!("own_seconds{{of=\"{}\"}}", mark.label);
    match what {
        Names::Tenant | Names::Nothing => vec![vec![tenant.into(), ABSENT.into()]],
        Names::Thing => vec![vec![
            seal(["tenant", tenant]),
            seal(["series", tenant, "1"]),
            seal(["series", tenant, "2"]),
            seal(["receipt", tenant, "1"]),
            seal(["token", tenant, "1"]),
            seal(["auditEvent", tenant, "1"]),
            seal(["producer", tenant, "1"]),
            seal(["producer", tenant, "2"]),
            seal(["run", tenant, "2", "5"]),
            world.session.clone(),
            // Of a tenant that is not there, of a number that is not there, of no such kind, and no id at all.
            seal(["tenant", ABSENT]),
            seal(["series", ABSENT, "1"]),
            seal(["series", tenant, "999"]),
            seal(["token", ABSENT, "1"]),
            seal(["token", tenant, "999"]),
            seal(["producer", ABSENT, "1"]),
            seal(["producer", tenant, "999"]),
            seal(["run", ABSENT, "2", "5"]),
            seal(["run", tenant, "2", "6"]),
            seal(["session", "nobodys"]),
            seal(["nothing", tenant, "1"]),
            "bm9uZQ".into(),
            "no id".into(),
        ]],
        Names::Place => vec![
            vec![
                seal(["series", &own]),
                seal(["series", &own.replace("\"}", "x\"}")]),
            ],
            vec![
                seal(["tenant", tenant]),
                seal(["tenant", &format!("{tenant}x")]),
            ],
            vec![seal(["point", "4"]), seal(["point", "5"])],
            vec![seal(["event", "1000"]), seal(["event", "1001"])],
            vec![seal(["audit", "1000"]), seal(["audit", "1001"])],
            vec![
                seal(["producer", &mark.only]),
                seal(["producer", &format!("{}x", mark.only)]),
            ],
            vec![seal(["run", "1000"]), seal(["run", "1001"])],
            vec![seal(["change", "1000.0.0"]), seal(["change", "1001.0.0"])],
        ],
        Names::Series | Names::Producer => {
            vec![vec![mark.only.clone(), mark.only.replace("only", "none")]]
        }
        Names::Write => vec![vec![mark.key.clone(), mark.key.replace("key", "non")]],
        Names::Organization if tenant == FOREIGN => vec![vec!["other".into(), "nobod".into()]],
        Names::Organization if tenant == PROD => vec![vec!["mcce".into(), "none".into()]],
        // Of the same organisation as PROD.
        Names::Organization => Vec::new(),
    }
}

async fn what_is_named_of_others_is_as_absent(app: TestApp) {
    let world = World::new(app).await;
    for tenant in TENANTS {
        world.fill(tenant).await;
    }
    for asker in &world.askers {
        let mut before = Vec::new();
        for tenant in asker.closed() {
            before.push(read_all(&world, best_reader(&world, tenant), tenant).await);
        }
        // Proof that does not count is refused before anything is looked for.
        let tenants = if asker.counts { TENANTS.len() } else { 1 };
        for tenant in asker.closed().take(tenants) {
            for (place, what, document) in TEXTS {
                // Who is in a tenant's organisation, and in none of its teams, is told so.
                if place.contains("explainAccess") && asker.is_colleague(tenant) {
                    continue;
                }
                for texts in named(&world, *what, tenant) {
                    let mut first = None;
                    for it in texts {
                        // One's own session is no other's.
                        if it == world.session && asker.name == "administrator" {
                            continue;
                        }
                        let answer = world.ask(asker, document, asker.home(), &it).await;
                        let answer = answer.without(&it);
                        let context = format!("{} gives {place} {it}: {answer:?}", asker.name);
                        for closed in asker.closed() {
                            assert!(!world.reveals(&answer, closed), "{closed} shows: {context}");
                        }
                        let first = first.get_or_insert_with(|| answer.clone());
                        assert_eq!(answer, *first, "{context}");
                    }
                }
            }
        }
        // And nothing of theirs was touched.
        for (tenant, before) in asker.closed().zip(before) {
            let after = read_all(&world, best_reader(&world, tenant), tenant).await;
            assert_eq!(after, before, "{} changed {tenant}", asker.name);
        }
    }
}

fn best_reader<'a>(world: &'a World, tenant: &str) -> &'a Asker {
    let best = world.askers.iter().max_by_key(|asker| asker.role(tenant));
    best.unwrap()
}
