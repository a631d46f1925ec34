//! The device flow.

use super::*;

#[tokio::test]
async fn a_device_gets_its_token_after_its_person_agrees() {
    let app = App::start().await;
    let form = [
        ("client_id", app.settings.client_id.as_str()),
        ("scope", "read:org"),
    ];
    let request = app
        .http
        .post(app.github.url() + "/login/device/code")
        .header("accept", "application/json")
        .form(&form);
    let device: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&device["expires_in"], &device["interval"]),
        (&json!(900), &json!(5))
    );
    let device_code = device["device_code"].as_str().unwrap();
    assert_eq!(device_code.len(), 40);
    let poll = [
        ("device_code", device_code),
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
    ];

    assert_eq!(app.exchange(&poll).await["error"], "authorization_pending");
    let hurried = app.exchange(&poll).await;
    assert_eq!(
        (&hurried["error"], &hurried["interval"]),
        (&json!("slow_down"), &json!(10))
    );

    let form = [
        ("user_code", device["user_code"].as_str().unwrap()),
        ("login", "viewer"),
    ];
    let done = app
        .http
        .post(app.github.url() + "/login/device")
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(done.status(), StatusCode::OK);
    app.github.advance(Duration::from_secs(10));
    let token = app.exchange(&poll).await["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        app.get("/user", &token)
            .await
            .json::<Value>()
            .await
            .unwrap()["login"],
        "viewer"
    );
    assert_eq!(app.exchange(&poll).await["error"], "incorrect_device_code");
}

#[tokio::test]
async fn a_device_is_told_of_denial_and_expiry() {
    let app = App::start().await;
    let form = [("client_id", app.settings.client_id.as_str())];
    let request = app
        .http
        .post(app.github.url() + "/login/device/code")
        .header("accept", "application/json")
        .form(&form);
    let device: Value = request.send().await.unwrap().json().await.unwrap();
    let poll = [
        ("device_code", device["device_code"].as_str().unwrap()),
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
    ];
    let form = [
        ("user_code", device["user_code"].as_str().unwrap()),
        ("cancel", "1"),
    ];
    app.http
        .post(app.github.url() + "/login/device")
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(app.exchange(&poll).await["error"], "access_denied");
    app.github.advance(Duration::from_secs(901));
    assert_eq!(app.exchange(&poll).await["error"], "expired_token");
    assert_eq!(
        app.exchange(&[("grant_type", "password")]).await["error"],
        "unsupported_grant_type"
    );
}
