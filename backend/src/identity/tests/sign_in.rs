//! Signing in.

use super::*;

#[tokio::test]
async fn signs_in_and_returns_to_where_one_was() {
    let world = World::new().await;
    let mut browser = world.browser();
    let callback = browser
        .choose("/t/mcce-g1-prod?range=1h", &[("login", "admin")])
        .await;
    let back = browser.get(&callback).await;
    assert_eq!(location(&back), "/t/mcce-g1-prod?range=1h");
    assert_eq!(back.headers()["cache-control"], "no-store");
    let set: Vec<_> = back.headers().get_all("set-cookie").iter().collect();
    let set = set[0].to_str().unwrap();
    assert!(
        set.ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=2592000"),
        "{set}"
    );
    // What the browser holds is the session's secret alone: no GitHub token, no sign-in under way.
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["sundial"]);
    assert_eq!(browser.cookies["sundial"].len(), 43);

    let admin = person(world.by_cookie(&browser).await.unwrap());
    assert_eq!((admin.account_id, admin.login.as_str()), (1001, "admin"));
    assert_eq!(admin.name, "Ada Administrator");
    assert_eq!(admin.memberships.organizations, ["mcce"]);
    assert_eq!(
        admin.memberships.teams,
        [("mcce".to_owned(), "g1-admins".to_owned())]
    );
}

#[tokio::test]
async fn asks_github_for_code_state_and_s256() {
    let world = World::new().await;
    let begun = world.browser().get("/auth/login").await;
    let url = Url::parse(location(&begun)).unwrap();
    let asked: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["code_challenge"].len(), 43);
    assert_eq!(asked["scope"], "read:user read:org");
    assert_eq!(
        asked["redirect_uri"],
        world.url.join("/auth/callback").unwrap().as_str()
    );
    assert!(asked["state"].len() >= 43);
    assert_eq!(begun.headers()["cache-control"], "no-store");
    assert!(!url.as_str().contains(&world.settings.client_secret));
}

#[tokio::test]
async fn never_returns_to_another_site() {
    let world = World::new().await;
    let mut browser = world.browser();
    for elsewhere in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/.//evil.example",
    ] {
        let callback = browser.choose(elsewhere, &[("login", "viewer")]).await;
        assert_eq!(location(&browser.get(&callback).await), "/", "{elsewhere}");
    }
}

#[tokio::test]
async fn link_on_another_site_begins_no_sign_in() {
    let world = World::new().await;
    let config = world.config();
    for (url, is_secure) in [
        ("https://sundial.example.org", true),
        (world.url.as_str(), false),
    ] {
        let identity = Identity::new(&config, url.parse().unwrap(), world.pool.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = identity.unwrap().router();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let login = format!("http://{address}/auth/login?return_to=/t/a-prod");
        let http = github::client().unwrap();
        for (site, own) in [
            (Some("cross-site"), !is_secure),
            (Some("same-site"), !is_secure),
            (Some("odd"), !is_secure),
            (Some("same-origin"), true),
            (Some("none"), true),
            (None, true),
        ] {
            let mut request = http.get(&login);
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            let answer = request.send().await.unwrap();
            let to_github = location(&answer).starts_with(&world.github.url());
            assert_eq!(to_github, own, "{url} {site:?}");
            assert_eq!(
                answer.headers().contains_key("set-cookie"),
                own,
                "{url} {site:?}"
            );
            // Where the person wanted to go, and a button there if they are not signed in.
            assert_eq!(location(&answer) == "/t/a-prod", !own, "{url} {site:?}");
        }
        server.abort();
    }
}

#[tokio::test]
async fn stranger_signs_in_and_belongs_to_nothing() {
    let world = World::new().await;
    let browser = world.signed_in("stranger").await;
    let stranger = person(world.by_cookie(&browser).await.unwrap());
    assert!(stranger.memberships.organizations.is_empty());
    assert!(stranger.memberships.teams.is_empty());
}

#[tokio::test]
async fn person_who_says_no_is_told_so() {
    let world = World::new().await;
    let mut browser = world.browser();
    let callback = browser.choose("/", &[("cancel", "1")]).await;
    let back = browser.get(&callback).await;
    assert_eq!(location(&back), "/signin?error=access_denied");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn code_of_another_browser_signs_nobody_in() {
    let world = World::new().await;
    let (mut one, mut other) = (world.browser(), world.browser());
    let callback = one.choose("/", &[("login", "admin")]).await;
    // Without a sign-in of its own, and with one of its own.
    assert_eq!(
        location(&other.get(&callback).await),
        "/signin?error=state_mismatch"
    );
    other.get("/auth/login").await;
    assert_eq!(
        location(&other.get(&callback).await),
        "/signin?error=state_mismatch"
    );
    assert!(other.cookies.is_empty());
    assert_eq!(world.github.requests("/login/oauth/access_token"), 0);
}

#[tokio::test]
async fn answer_without_its_parts_signs_nobody_in() {
    let world = World::new().await;
    let mut browser = world.browser();
    for query in [
        "",
        "?code=a",
        "?state=b",
        "?code=a&code=b&state=c",
        "?error=access_denied",
    ] {
        browser.get("/auth/login").await;
        let answer = browser.get(&format!("/auth/callback{query}")).await;
        assert_eq!(location(&answer), "/signin?error=state_mismatch", "{query}");
    }
    browser.get("/auth/login").await;
    browser
        .cookies
        .insert("sundial-login".into(), "forged".into());
    let answer = browser.get("/auth/callback?code=a&state=b").await;
    assert_eq!(location(&answer), "/signin?error=state_mismatch");
}

#[tokio::test]
async fn sign_in_is_finished_once() {
    let world = World::new().await;
    let mut browser = world.browser();
    let callback = browser.choose("/", &[("login", "admin")]).await;
    let mut copy = world.browser();
    copy.cookies = browser.cookies.clone();
    assert_eq!(location(&browser.get(&callback).await), "/");
    assert_eq!(
        location(&browser.get(&callback).await),
        "/signin?error=state_mismatch"
    );
    // Even for who kept the cookie that the browser has given up.
    assert_eq!(
        location(&copy.get(&callback).await),
        "/signin?error=state_mismatch"
    );
    assert_eq!(world.github.requests("/login/oauth/access_token"), 1);
}

#[tokio::test]
async fn sign_in_begun_on_one_replica_finishes_on_another() {
    let world = World::new().await;
    let mut browser = world.browser();
    let callback = browser.choose("/", &[("login", "admin")]).await;
    let key = Key::derive(world.settings.client_secret.as_bytes(), login::PURPOSE).unwrap();
    let callback = Url::parse(&callback).unwrap();
    let state = callback
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1;
    let login = Login::open(&key, &browser.cookies["sundial-login"], &state, now())
        .ok()
        .unwrap();
    assert_eq!(login.return_to, "/");
}

#[tokio::test]
async fn sign_in_too_late_is_told_so() {
    let world = World::new().await;
    let mut browser = world.browser();
    let callback = browser.choose("/", &[("login", "admin")]).await;
    let answer = Answer {
        code: Some("a".into()),
        state: Url::parse(&callback)
            .unwrap()
            .query_pairs()
            .find(|(name, _)| name == "state")
            .map(|(_, value)| value.into_owned().into()),
        error: None,
    };
    let late = world
        .identity
        .answered(&browser.cookie(), answer, now() + login::LIFE);
    assert_eq!(late.err(), Some(Stop::Expired));
    // GitHub's own time for the code may be up first.
    world.github.advance(Duration::from_secs(601));
    assert_eq!(
        location(&browser.get(&callback).await),
        "/signin?error=login_expired"
    );
}

#[tokio::test]
async fn code_with_another_verifier_is_worth_nothing() {
    let world = World::new().await;
    let mut browser = world.browser();
    let callback = Url::parse(&browser.choose("/", &[("login", "admin")]).await).unwrap();
    let code = callback
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1;
    let app = world.identity.0.app.as_ref().unwrap();
    let stolen = app
        .oauth
        .exchange(code.into_owned().into(), "a".repeat(43).into())
        .await;
    assert_eq!(stolen.err(), Some(Stop::Expired));
}

#[tokio::test]
async fn github_out_of_order_is_told_so() {
    let world = World::new().await;
    let mut browser = world.browser();
    for status in [500, 502, 503, 429, 404] {
        let callback = browser.choose("/", &[("login", "admin")]).await;
        world.github.fail_next(status, 1);
        let answer = browser.get(&callback).await;
        assert_eq!(
            location(&answer),
            "/signin?error=github_unavailable",
            "{status}"
        );
    }
    let world = World::with(Lifetimes::default(), |config| {
        // Nothing listens there.
        config.url = "http://127.0.0.1:9".parse().unwrap();
    })
    .await;
    let app = world.identity.0.app.as_ref().unwrap();
    let unanswered = app.oauth.exchange("a".into(), "b".into()).await;
    assert_eq!(unanswered.err(), Some(Stop::Unavailable));
}

#[tokio::test]
async fn settings_are_checked_with_github() {
    let world = World::new().await;
    let with = |secret: Option<&str>, url: &str| GithubConfig {
        api_url: url.parse().unwrap(),
        client_id: secret.map(|_| world.settings.client_id.clone()),
        client_secret: secret.map(Into::into),
        ..world.config()
    };
    let own = world.settings.client_secret.as_str();
    let api = world.github.api_url();
    let check = async |config: GithubConfig, url: &str| {
        let checked = Identity::check(&config, url.parse().unwrap()).await;
        checked.map_err(|error| error.to_string())
    };
    let site = "https://sundial.example.org";
    assert_eq!(check(with(Some(own), &api), site).await, Ok(true));
    assert_eq!(check(with(None, &api), site).await, Ok(false));
    for (secret, api, site, words) in [
        (
            "another",
            api.as_str(),
            site,
            "refuses the client id and secret",
        ),
        (own, "http://127.0.0.1:9", site, "can't be reached"),
        (own, &api, "http://sundial.example.org", "--public-url"),
    ] {
        let refused = check(with(Some(secret), api), site).await.err();
        assert!(
            refused.as_deref().is_some_and(|said| said.contains(words)),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn app_that_github_refuses_is_the_operators_to_mend() {
    let world = World::with(Lifetimes::default(), |config| {
        config.client_secret = Some("another".into());
    })
    .await;
    let mut browser = world.browser();
    let callback = browser.choose("/", &[("login", "admin")]).await;
    assert_eq!(
        location(&browser.get(&callback).await),
        "/signin?error=not_configured"
    );
}

#[tokio::test]
async fn scope_left_out_is_told_so() {
    let world = World::new().await;
    let mut browser = world.browser();
    // The later of two fields of one name counts, in the form of the stand-in.
    let callback = browser
        .choose("/", &[("login", "admin"), ("scope", "read:user")])
        .await;
    assert_eq!(
        location(&browser.get(&callback).await),
        "/signin?error=scope_missing"
    );
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn planted_session_is_not_kept() {
    let world = World::new().await;
    let attacker = world.signed_in("stranger").await;
    let planted = attacker.cookies["sundial"].clone();
    let mut victim = world.browser();
    victim.cookies.insert("sundial".into(), planted.clone());
    let callback = victim.choose("/", &[("login", "admin")]).await;
    victim.get(&callback).await;
    assert_ne!(victim.cookies["sundial"], planted);
    assert_eq!(
        person(world.by_cookie(&victim).await.unwrap()).login,
        "admin"
    );
    // It ended, so that nobody is in it with the victim.
    assert!(words(world.by_cookie(&attacker).await).contains("sign in again"));
}

#[tokio::test]
async fn chosen_secret_is_not_taken_on() {
    let world = World::new().await;
    let mut browser = world.browser();
    let chosen = session::Secret::random().cookie();
    let chosen = chosen.expose_secret().to_owned();
    browser.cookies.insert("sundial".into(), chosen.clone());
    let callback = browser.choose("/", &[("login", "admin")]).await;
    browser.get(&callback).await;
    assert_ne!(browser.cookies["sundial"], chosen);
}

#[tokio::test]
async fn of_two_cookies_of_one_name_neither_counts() {
    let world = World::new().await;
    let attacker = world.signed_in("stranger").await;
    let mut victim = world.signed_in("admin").await;
    let planted = &attacker.cookies["sundial"];
    let own = &victim.cookies["sundial"].clone();
    // Whichever a browser sends first.
    for both in [[planted, own], [own, planted]] {
        let header = format!("sundial={}; sundial={}", both[0], both[1]);
        let mut headers = HeaderMap::new();
        headers.insert("cookie", header.parse().unwrap());
        let tossed = world.identity.authenticate(&Proof::of(&headers)).await;
        assert!(words(tossed).contains("delete this site's cookies"));
        // Nor is one in each of two headers.
        let mut split = HeaderMap::new();
        for cookie in both {
            split.append("cookie", format!("sundial={cookie}").parse().unwrap());
        }
        assert!(
            world
                .identity
                .authenticate(&Proof::of(&split))
                .await
                .is_err()
        );
    }
    // A sign-in through it ends both, so that nobody is in it with the victim.
    let header = format!("{planted}; sundial={own}");
    victim.cookies.insert("sundial".into(), header);
    let callback = victim.choose("/", &[("login", "admin")]).await;
    assert_eq!(location(&victim.get(&callback).await), "/");
    assert!(words(world.by_cookie(&attacker).await).contains("sign in again"));
    let proof = Proof::Cookie(format!("sundial={own}").into());
    assert!(words(world.identity.authenticate(&proof).await).contains("sign in again"));
    assert!(world.by_cookie(&victim).await.is_ok());
}

#[tokio::test]
async fn of_two_sign_ins_under_way_neither_is_finished() {
    let world = World::new().await;
    let (mut attacker, mut victim) = (world.browser(), world.browser());
    // The attacker's own sign-in, planted beside the victim's: the victim would be signed in as the attacker.
    let callback = attacker.choose("/", &[("login", "stranger")]).await;
    victim.get("/auth/login").await;
    let own = victim.cookies["sundial-login"].clone();
    let planted = &attacker.cookies["sundial-login"];
    for both in [[planted, &own], [&own, planted]] {
        let header = format!("{}; sundial-login={}", both[0], both[1]);
        victim.cookies.insert("sundial-login".into(), header);
        let answer = victim.get(&callback).await;
        assert_eq!(location(&answer), "/signin?error=state_mismatch");
    }
    assert!(!victim.cookies.contains_key("sundial"));
    assert_eq!(world.github.requests("/login/oauth/access_token"), 0);
}

#[tokio::test]
async fn longest_ago_signed_in_ends_when_there_are_too_many() {
    let world = World::new().await;
    let first = world.signed_in("admin").await;
    let admin = person(world.by_cookie(&first).await.unwrap());
    let other = world.signed_in("viewer").await;
    let token = SecretString::from(world.token("admin"));
    let begin = async || {
        let begun = session::begin(&world.pool, &admin, &token, "test", now());
        begun.await.unwrap()
    };
    for _ in 1..MOST_SESSIONS {
        begin().await;
    }
    assert!(world.by_cookie(&first).await.is_ok());
    begin().await;
    assert!(world.by_cookie(&first).await.is_err());
    assert!(world.by_cookie(&other).await.is_ok());
    let snapshot = world.pool.snapshot(None);
    let known = world.identity.sessions(&snapshot, &admin, &Proof::Nothing);
    assert_eq!(known.await.unwrap().len(), MOST_SESSIONS);
}
