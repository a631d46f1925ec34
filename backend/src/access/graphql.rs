//! Access rules in the API.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject, TypeDirective};

use crate::{
    access::{
        change::{self, Change},
        explain::{self, Check, Standing},
        rule::{Given, Rules},
        store::{self, By},
    },
    error::{Error, Result},
    guard::{Admin, system, table::access_rule},
    request::{ContextExt, now},
    tenant::graphql::Role,
};

/// Most people that an answer names as gaining, and as losing.
const PEOPLE: usize = 1_000;

/// The least role in the tenant that the field needs; with a lower one it answers FORBIDDEN.
#[TypeDirective(location = "FieldDefinition")]
pub(crate) fn requires(#[graphql(desc = "The role, or one that includes it.")] role: Role) {}

/// Gives a role to the members of a GitHub organisation, or of one of its teams.
#[derive(SimpleObject)]
pub struct AccessRule {
    /// Login of the organisation, in lower case.
    organization: String,
    /// Slug of the team, in lower case; null for every member of the organisation.
    team: Option<String>,
    /// What it gives. Of several rules for somebody, the highest role counts.
    role: Role,
}

/// An access rule as it shall be.
#[derive(InputObject)]
pub struct AccessRuleInput {
    /// Login of the organisation, such as `mcce`.
    organization: String,
    /// Slug of one of its teams, such as `g1-admins`; every member of the organisation without.
    team: Option<String>,
    /// What it gives.
    role: Role,
}

/// What other access rules change.
#[derive(SimpleObject)]
pub struct AccessChange {
    /// The rules after it, by organisation and team.
    rules: Vec<AccessRule>,
    /// The rules that come, go, or give another role.
    changes: Vec<AccessRuleChange>,
    /// Whose role rises, by login. People are named who have signed in here, and who belong to an organisation of yours
    /// or to one that the present rules name; what they are in other organisations is left out. At most 1,000.
    gains: Vec<RoleChange>,
    /// Whose role falls, by login; as `gains`.
    loses: Vec<RoleChange>,
    /// How many gain, those included that are too many to name.
    gain_count: i32,
    /// How many lose, those included that are too many to name.
    lose_count: i32,
}

/// A rule that comes, goes, or gives another role.
#[derive(SimpleObject)]
pub struct AccessRuleChange {
    /// Login of the organisation.
    organization: String,
    /// Slug of the team; null for every member of the organisation.
    team: Option<String>,
    /// What it gave; null when it is new.
    before: Option<Role>,
    /// What it gives; null when it is gone.
    after: Option<Role>,
}

/// A person whose role changes.
#[derive(SimpleObject)]
pub struct RoleChange {
    /// GitHub login.
    login: String,
    /// The role before; null without access.
    before: Option<Role>,
    /// The role after; null without access.
    after: Option<Role>,
}

/// Why a tenant is open to you, or why it is not.
#[derive(SimpleObject)]
pub struct AccessExplanation {
    /// Whether it is open to you.
    granted: bool,
    /// Your role there; null when it is not open.
    role: Option<Role>,
    /// What was checked, in this order, up to the first check that fails.
    steps: Vec<AccessStep>,
    /// The check that fails; null when the tenant is open.
    failed: Option<AccessStep>,
}

/// One check of many, and how it went.
#[derive(SimpleObject, Clone)]
pub struct AccessStep {
    /// What was checked.
    check: AccessCheck,
    /// Whether it went well.
    ok: bool,
    /// What was found.
    words: String,
    /// What to do about it; null when it went well.
    action: Option<String>,
    /// Where to do that: a path of this site, or an address at GitHub.
    url: Option<String>,
}

/// What is checked before a tenant opens.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Check")]
pub enum AccessCheck {
    /// That you are signed in, and that what shows it is of Sundial's own and counts.
    Token,
    /// That you let Sundial read your organisations.
    Scope,
    /// That your organisation lets Sundial know its members.
    OrganizationApproval,
    /// That you have signed on with your organisation, where it asks for that.
    SingleSignOn,
    /// That you belong to an organisation.
    Membership,
    /// That an access rule of the tenant names an organisation of yours.
    Rule,
    /// That you are in a team that the rule names.
    Team,
}

/// What can be asked of access.
#[derive(Default)]
pub struct AccessQuery;

#[Object]
impl AccessQuery {
    /// Why a tenant is open to you or not, and what to do. GitHub is asked anew. It answers everybody, signed in or not;
    /// of a tenant whose rules name no organisation of yours it says what it says of one that does not exist.
    #[graphql(complexity = "5_000 + 7 * child_complexity")]
    async fn explain_access(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
    ) -> Result<AccessExplanation> {
        let standing = standing(ctx, &tenant).await?;
        let organizations = standing.organizations();
        let rules = system::rules_naming(ctx.snapshot()?, &tenant, &organizations).await?;
        Ok(explain::explain(&standing, &rules).into())
    }
}

/// What is known of the asker, for whom `tenant` matters only as the one that an ingest token is for.
async fn standing(ctx: &Context<'_>, tenant: &str) -> Result<Standing> {
    let asker = ctx.asker()?;
    if asker.viewer().is_some_and(|of| of.as_token().is_some()) {
        let scope = ctx.scope(tenant).await?;
        return Ok(Standing::Machine(scope.map(|scope| scope.role())));
    }
    if asker.viewer().is_none() && asker.refusal().is_none() {
        return Ok(Standing::Nobody);
    }
    match asker.facts().await {
        Ok(facts) => facts.try_into(),
        // The reason that the door had for it, where there is nothing that GitHub could be asked about.
        Err(error @ (Error::Unauthenticated(_) | Error::BadInput(_))) => {
            let refusal = asker.refusal().unwrap_or(&error);
            Ok(Standing::Refused(refusal.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// What can be done with access.
#[derive(Default)]
pub struct AccessMutation;

#[Object]
impl AccessMutation {
    /// Makes a tenant's access rules these and no others. The last known administrator is not locked out: that is a
    /// CONFLICT, unless you insist.
    #[graphql(
        directive = requires::apply(Role::Admin),
        complexity = "200 + 200 * child_complexity"
    )]
    async fn set_access_rules(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(desc = "1 to 200 rules, no two for the same people.")] rules: Vec<
            AccessRuleInput,
        >,
        #[graphql(desc = "Only tell what would change.", default = false)] dry_run: bool,
        #[graphql(
            desc = "Change the rules even if no known administrator is left.",
            default = false
        )]
        force: bool,
    ) -> Result<AccessChange> {
        let principal = ctx.asker()?.principal()?;
        let given: Vec<Given> = rules.into_iter().map(Given::from).collect();
        let rules = Rules::try_from(given)?;
        let scope = ctx.writing::<Admin>(&tenant).await?;
        let person = principal
            .as_person()
            .ok_or_else(|| Error::Internal("an administrator is no person".into()))?;
        let change = store::plan(&scope, &rules, By::Person(person)).await?;
        if !force {
            change.check_administrator(&scope.tenant().slug, "`force: true`")?;
        }
        if !dry_run {
            store::set_access_rules(&scope, rules.rows(), now()).await?;
            scope.commit().await?;
        }
        Ok(AccessChange::new(&rules, change))
    }
}

impl AccessChange {
    fn new(rules: &Rules, mut change: Change) -> Self {
        let count =
            |people: &Vec<change::RoleChange>| i32::try_from(people.len()).unwrap_or(i32::MAX);
        let (gain_count, lose_count) = (count(&change.gains), count(&change.loses));
        change.gains.truncate(PEOPLE);
        change.loses.truncate(PEOPLE);
        AccessChange {
            rules: rules.rows().iter().cloned().map(AccessRule::from).collect(),
            changes: change
                .rules
                .into_iter()
                .map(AccessRuleChange::from)
                .collect(),
            gains: change.gains.into_iter().map(RoleChange::from).collect(),
            loses: change.loses.into_iter().map(RoleChange::from).collect(),
            gain_count,
            lose_count,
        }
    }
}

/// A team as the API shows it.
fn team(slug: String) -> Option<String> {
    Some(slug).filter(|slug| !slug.is_empty())
}

impl From<access_rule::Model> for AccessRule {
    fn from(rule: access_rule::Model) -> Self {
        AccessRule {
            organization: rule.organization,
            team: team(rule.team),
            role: rule.role.into(),
        }
    }
}

impl From<AccessRuleInput> for Given {
    fn from(rule: AccessRuleInput) -> Self {
        Given {
            organization: rule.organization,
            team: rule.team,
            role: rule.role.into(),
        }
    }
}

impl From<change::RuleChange> for AccessRuleChange {
    fn from(change: change::RuleChange) -> Self {
        AccessRuleChange {
            organization: change.organization,
            team: team(change.team),
            before: change.before.map(Role::from),
            after: change.after.map(Role::from),
        }
    }
}

impl From<change::RoleChange> for RoleChange {
    fn from(change: change::RoleChange) -> Self {
        RoleChange {
            login: change.login,
            before: change.before.map(Role::from),
            after: change.after.map(Role::from),
        }
    }
}

impl From<explain::Explanation> for AccessExplanation {
    fn from(explanation: explain::Explanation) -> Self {
        let steps: Vec<AccessStep> = explanation
            .steps
            .into_iter()
            .map(AccessStep::from)
            .collect();
        AccessExplanation {
            granted: explanation.role.is_some(),
            role: explanation.role.map(Role::from),
            failed: steps.iter().find(|step| !step.ok).cloned(),
            steps,
        }
    }
}

impl From<explain::Step> for AccessStep {
    fn from(step: explain::Step) -> Self {
        let ok = step.mend.is_none();
        let (action, url) = step.mend.map(|mend| (mend.action, mend.url)).unzip();
        AccessStep {
            check: step.check.into(),
            ok,
            words: step.words,
            action,
            url: url.flatten(),
        }
    }
}
