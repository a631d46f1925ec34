use super::*;

fn chosen(span: Span) -> Chosen {
    Chosen {
        id: "1".to_owned(),
        key: "a".to_owned(),
        span,
    }
}

fn after(feed: Feed, acts: impl IntoIterator<Item = Act>) -> Feed {
    let feed = acts.into_iter().fold(Rc::new(feed), Reducible::reduce);
    Rc::unwrap_or_clone(feed)
}

fn added(key: &str, seconds: &[i64]) -> Act {
    let points = seconds
        .iter()
        .map(|second| (second * SECOND, *second as f64))
        .collect();
    Act::Added {
        arrivals: vec![Arrival {
            key: key.to_owned(),
            points,
        }],
        now: seconds.last().unwrap() * SECOND,
    }
}

#[test]
fn live_points_join_the_history_that_comes_after_them() {
    let feed = after(
        Feed::default(),
        [
            Act::Choose(Some(chosen(Span::Minutes5))),
            added("a", &[102, 103]),
            Act::Loaded(
                chosen(Span::Minutes5),
                vec![
                    Mark::point(101 * SECOND, 1.0),
                    Mark::point(102 * SECOND, 102.0),
                ],
            ),
        ],
    );
    assert_eq!(feed.track().unwrap().marks().len(), 3);
}

#[test]
fn an_answer_for_another_choice_is_dropped() {
    let feed = after(
        Feed::default(),
        [
            Act::Choose(Some(chosen(Span::Hour))),
            Act::Loaded(chosen(Span::Minutes5), vec![Mark::point(1, 1.0)]),
        ],
    );
    assert_eq!(feed.track(), None);
}

#[test]
fn windows_are_left_to_the_server() {
    let feed = after(
        Feed::default(),
        [
            Act::Choose(Some(chosen(Span::Day))),
            added("a", &[9, 7]),
            added("a", &[10]),
        ],
    );
    let chart = feed.chart.unwrap();
    assert_eq!(chart.dirty, Some(7 * SECOND));
    assert_eq!(chart.track.marks(), []);
}

#[test]
fn history_is_read_again_unless_the_subscription_resumes() {
    let feed = after(
        Feed::default(),
        [
            Act::Opened { resumed: false },
            added("a", &[1]),
            added("a", &[2]),
        ],
    );
    assert_eq!(feed.epoch, 2);
    let feed = after(feed, [Act::Opened { resumed: true }, added("a", &[3])]);
    assert_eq!(feed.epoch, 2);
}

#[test]
fn a_paused_picture_stands_still_and_counts_what_waits() {
    let feed = after(
        Feed::default(),
        [
            Act::Choose(Some(chosen(Span::Minutes5))),
            Act::Loaded(chosen(Span::Minutes5), vec![Mark::point(SECOND, 1.0)]),
            added("a", &[2]),
            Act::Pause(2 * SECOND),
            added("a", &[3, 4]),
        ],
    );
    assert_eq!(feed.track().unwrap().marks().len(), 2);
    assert_eq!(feed.pause.as_ref().unwrap().waiting, 2);
    assert_eq!(feed.last_at(), Some(2 * SECOND));
    let feed = after(feed, [Act::Resume]);
    assert_eq!(feed.track().unwrap().marks().len(), 4);
}

#[test]
fn a_late_point_does_not_become_the_newest() {
    let feed = after(Feed::default(), [added("a", &[5]), added("a", &[3])]);
    assert_eq!(feed.newest()["a"], (5 * SECOND, 5.0));
}

#[test]
fn a_series_that_is_not_in_the_list_asks_for_a_new_list_once() {
    let feed = after(
        Feed::default(),
        [
            Act::Listed(vec![("a".to_owned(), None)]),
            added("a", &[1]),
            added("b", &[1]),
            added("b", &[2]),
        ],
    );
    assert_eq!(feed.strangers, 1);
}

#[test]
fn silence_is_stale_only_where_a_beat_is_known() {
    let marks: Vec<Mark> = (0..10)
        .map(|second| Mark::point(second * SECOND, 0.0))
        .collect();
    assert!(!is_stale(9 * SECOND, 15 * SECOND, &marks));
    assert!(is_stale(9 * SECOND, 40 * SECOND, &marks));
    assert!(!is_stale(9 * SECOND, 4_000 * SECOND, &[]));
}

#[test]
fn the_last_minutes_keep_what_came_live_over_what_was_read() {
    let read = vec![Mark::point(0, 1.0), Mark::point(5 * SECOND, 1.0)];
    let feed = after(
        Feed::default(),
        [
            added("a", &[6, 7]),
            Act::Recent(vec![("a".to_owned(), read)]),
        ],
    );
    let values: Vec<f64> = feed.recent()["a"]
        .marks()
        .iter()
        .map(|mark| mark.last)
        .collect();
    assert_eq!(values, [1.0, 7.0]);
}
