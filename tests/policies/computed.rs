//! Computed fields: hidden where what they are computed from is, and not computed there.

use std::sync::atomic::{AtomicUsize, Ordering};

use clearance::{Dto, Field};

use crate::support::{
    Person, Statements, admin, as_viewer, directory, editor, person, public, read, stranger,
};

/// How often [`card`] ran.
static CARDS: AtomicUsize = AtomicUsize::new(0);

fn card(username: &str, phone: &Option<String>) -> String {
    CARDS.fetch_add(1, Ordering::SeqCst);
    format!("{username} <{}>", phone.as_deref().unwrap_or("-"))
}

fn initials(username: &str) -> String {
    username.chars().take(2).collect()
}

fn raise(salary: &i64) -> i64 {
    salary * 2
}

#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Person, default = visible)]
struct Card {
    id: i64,
    #[visible_if(same(viewer.team, row.team))]
    phone: Field<Option<String>>,
    #[dto(computed = card, from(username, phone))]
    card: Field<String>,
    #[dto(computed = initials, from(username))]
    initials: String,
    /// A rule of its own over a column that the DTO does not show.
    #[visible_if(viewer.id == 1)]
    #[dto(computed = raise, from(salary))]
    raised: Field<i64>,
}

async fn cards(db: &clearance::Db) -> Vec<Card> {
    let access = read().await;
    let query = Card::select().order(Card::ID.asc());
    db.reader(&access).all(query).await.unwrap()
}

// The tests share the counter, so they are one test.
#[tokio::test]
async fn r15_r16_a_computed_field_is_hidden_with_its_input_and_not_computed_then() {
    let directory = directory().await;
    let before = CARDS.load(Ordering::SeqCst);
    let rows = as_viewer(editor(), cards(&directory.db)).await;
    assert_eq!(rows[0].card, Field::Visible("user1 <+49 30 555001>".into()));
    assert_eq!(rows[2].phone, Field::Hidden);
    assert_eq!(rows[2].card, Field::Hidden);
    assert!(rows.iter().all(|row| row.raised.is_hidden()));
    assert_eq!(rows[2].initials, "us");
    // Three of five are of the viewer's team.
    assert_eq!(CARDS.load(Ordering::SeqCst) - before, 3);

    let before = CARDS.load(Ordering::SeqCst);
    let rows = as_viewer(stranger(), cards(&directory.db)).await;
    assert!(rows.iter().all(|row| row.card.is_hidden()));
    assert_eq!(CARDS.load(Ordering::SeqCst), before);

    let rows = as_viewer(admin(), cards(&directory.db)).await;
    assert_eq!(rows[0].raised, Field::Visible(2_000));

    // The same for rows in memory.
    let before = CARDS.load(Ordering::SeqCst);
    let rows = as_viewer(editor(), async {
        let people = [person(1, Some("red")), person(3, Some("blue"))];
        read().await.project::<Card>(people).await.unwrap()
    })
    .await;
    assert_eq!(rows[0].card, Field::Visible("user1 <+49 30 555001>".into()));
    assert_eq!(rows[1].card, Field::Hidden);
    assert_eq!(CARDS.load(Ordering::SeqCst) - before, 1);
}

#[tokio::test]
async fn r15_a_hidden_input_does_not_leave_the_database() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    crate::support::as_nobody(async {
        let access = public();
        let rows = directory
            .db
            .reader(&access)
            .all(Card::select())
            .await
            .unwrap();
        assert!(
            rows.iter()
                .all(|row| row.card.is_hidden() && row.raised.is_hidden())
        );
    })
    .await;
    let sql = statements.one();
    assert!(!sql.contains("phone") && !sql.contains("salary"), "{sql}");
}

#[tokio::test]
async fn r3_the_inputs_of_a_computed_field_are_not_in_the_output() {
    let directory = directory().await;
    let rows = as_viewer(admin(), cards(&directory.db)).await;
    let json = serde_json::to_value(&rows[0]).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "initials", "raised"]);
}

clearance::app! {
    static APP = { viewer: crate::support::Member, dtos: [Card], repositories: [] };
}

#[tokio::test]
async fn p13_a_computed_field_needs_no_column() {
    directory().await.db.check(&APP).await.unwrap();
}
