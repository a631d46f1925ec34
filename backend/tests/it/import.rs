//! `sundial import`: files of others, and our own.

use std::{path::Path, process::Output};

use serde_json::json;
use tokio::process::Command;

use crate::app::{PROD, TEST, TestApp};

on_both! {
    export_of_one_tenant_is_the_import_of_another,
    lines_that_cannot_be_taken_are_told_and_the_others_written,
    import_goes_on_where_it_broke_off,
}

async fn import(app: &TestApp, tenant: &str, file: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sundial"));
    command
        .args(["import", "--tenant", tenant])
        .args(more)
        .arg(file);
    command.env("SUNDIAL_DATABASE_URL", &app.database.url);
    command.output().await.unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    text(&output.stdout) + &text(&output.stderr)
}

async fn export_of_one_tenant_is_the_import_of_another(app: TestApp) {
    let many: Vec<(i64, f64)> = (0..9_000)
        .map(|place| (place * 1_000, place as f64 / 3.0))
        .collect();
    app.ingest(&app.prod, PROD, r#"room{name="a, \"b\""}"#, &many)
        .await;
    app.ingest(&app.prod, PROD, "other", &[(7, -0.0), (8, 5e-324)])
        .await;
    let folder = tempfile::tempdir().unwrap();
    for kind in ["csv", "ndjson"] {
        let url = app.url.join(&format!("/export/{PROD}.{kind}")).unwrap();
        let response = app
            .http
            .get(url)
            .bearer_auth(&app.prod)
            .send()
            .await
            .unwrap();
        let file = folder.path().join(format!("points.{kind}"));
        std::fs::write(&file, response.bytes().await.unwrap()).unwrap();
        let output = import(&app, TEST, &file, &[]).await;
        assert!(output.status.success(), "{}", said(&output));
        let words = match kind {
            "csv" => "9002 points written\n",
            _ => "0 points written; 9002 points had been written before (--again",
        };
        assert!(said(&output).starts_with(words), "{}", said(&output));
        let bits = |points: Vec<(String, Vec<(i64, f64)>)>| -> Vec<(String, i64, u64)> {
            let flat = |(key, points): (String, Vec<(i64, f64)>)| {
                points
                    .into_iter()
                    .map(move |(time, value)| (key.clone(), time, value.to_bits()))
            };
            points.into_iter().flat_map(flat).collect()
        };
        let (one, other) = (
            app.points(&app.prod, PROD).await,
            app.points(&app.test, TEST).await,
        );
        assert_eq!(bits(one), bits(other));
    }
    // The two files hold the same, and the same again is not written again.
    let batches: Vec<i64> = app.database.read("SELECT count(*) FROM batch").await;
    assert_eq!(batches, [3]);
    // Unless it is asked for: after a deletion, say.
    let file = folder.path().join("points.csv");
    let delete = r#"mutation { deletePoints(tenant: "mcce-g1-test", series: ["other"], range: { from: 0, to: 9 }) { points } }"#;
    app.data(&app.person("admin"), delete, json!({})).await;
    let output = import(&app, TEST, &file, &["--again"]).await;
    assert_eq!(said(&output), "9002 points written\n");
    assert_eq!(
        app.points(&app.test, TEST).await,
        app.points(&app.prod, PROD).await
    );
}

async fn lines_that_cannot_be_taken_are_told_and_the_others_written(app: TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.lp");
    let lines = "# a comment\nroom,name=a t=21.5,on=true 1000000\nroom,name=a t=22 2000000\nroom t=1 -9000\n\nroom,name=a t=23 3000000\n";
    std::fs::write(&file, lines).unwrap();
    let output = import(&app, PROD, &file, &[]).await;
    let words = said(&output);
    assert!(!output.status.success(), "{words}");
    for expected in [
        "line 2: `true` is no finite number: only numbers are stored; the rest of the line is written",
        "line 4: the time -9 µs is not from 1970 up to 2200",
        "3 points written",
        "error: 2 lines were refused",
    ] {
        assert!(words.contains(expected), "{words}");
    }
    let wanted = [(
        r#"room.t{name="a"}"#.to_owned(),
        vec![(1_000, 21.5), (2_000, 22.0), (3_000, 23.0)],
    )];
    assert_eq!(app.points(&app.prod, PROD).await, wanted);

    // Of what is too old for the tenant, only that is refused.
    app.database
        .execute("UPDATE tenant_counter SET retention = 86400000000")
        .await;
    let file = folder.path().join("old.csv");
    let time = jiff::Timestamp::now();
    std::fs::write(&file, format!("time,young\n0,1\n{time},2\n")).unwrap();
    let output = import(&app, PROD, &file, &[]).await;
    let words = said(&output);
    for expected in [
        "line 2: the tenant keeps points for 1 days, and this one is older",
        "1 point written",
        "error: 1 line was refused",
    ] {
        assert!(words.contains(expected), "{words}");
    }

    // More series in a line than go into one write.
    let file = folder.path().join("wide.csv");
    let names: Vec<String> = (0..12_000).map(|place| format!("wide.s{place}")).collect();
    std::fs::write(
        &file,
        format!("time,{}\n{time}{}\n", names.join(","), ",7".repeat(12_000)),
    )
    .unwrap();
    let output = import(&app, PROD, &file, &[]).await;
    assert_eq!(said(&output), "12000 points written\n");

    // Compressed.
    let file = folder.path().join("packed.csv");
    std::fs::write(&file, b"\x1f\x8b\x08\x00").unwrap();
    let output = import(&app, PROD, &file, &[]).await;
    assert!(said(&output).contains("gunzip -c"), "{}", said(&output));
    for (name, content, words) in [
        ("points.txt", "", "give --format"),
        (
            "points.csv",
            "at,a\n",
            "line 1: the header names no column `time`",
        ),
        ("gone.csv", "", "No such file"),
    ] {
        let file = folder.path().join(name);
        if name != "gone.csv" {
            std::fs::write(&file, content).unwrap();
        }
        let output = import(&app, PROD, &file, &[]).await;
        assert!(
            !output.status.success() && said(&output).contains(words),
            "{}",
            said(&output)
        );
    }
    let output = import(&app, "nobody", &file, &[]).await;
    assert!(
        said(&output).contains("there is no tenant nobody"),
        "{}",
        said(&output)
    );
}

async fn import_goes_on_where_it_broke_off(app: TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wide.csv");
    let mut text = "time,a,b\n".to_owned();
    for second in 0..60_000 {
        text += &format!("{second},{}.5,{second}\n", second % 100);
    }
    std::fs::write(&file, &text).unwrap();
    // There is room for the first of two writes.
    app.database
        .execute("UPDATE tenant SET quota_points = 110000")
        .await;
    let output = import(&app, PROD, &file, &["--precision", "s"]).await;
    let words = said(&output);
    assert!(!output.status.success(), "{words}");
    assert!(
        words.contains("what stands before line 50002 is written"),
        "{words}"
    );
    app.database
        .execute("UPDATE tenant SET quota_points = NULL")
        .await;
    let output = import(
        &app,
        PROD,
        &file,
        &["--precision", "s", "--from-line", "50002"],
    )
    .await;
    assert_eq!(said(&output), "20000 points written\n");
    let points = app.points(&app.prod, PROD).await;
    assert_eq!(
        points
            .iter()
            .map(|(_, points)| points.len())
            .collect::<Vec<_>>(),
        [60_000, 60_000]
    );
    assert_eq!(points[0].1[59_999], (59_999_000_000, 99.5));
}
