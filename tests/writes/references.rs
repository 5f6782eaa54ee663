//! What a client's field may refer to: W41, W42, W43.
//!
//! Boards are read by their members, and cards are put on boards. Board 1 is of 7, board 2 is of 8, and
//! board 3 is of 8 and for everybody; there is no board 9.

use std::collections::BTreeMap;

use clearance::input::Assign;
use clearance::{
    Access, Dto, Entity, Error, Input, Patch, Result, Untrusted, Viewer, Write, testing,
};

use crate::support::{Directory, Statements, empty_directory, system};

#[derive(Debug, Clone, Viewer)]
pub struct Hand {
    pub id: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "boards", viewer = Hand, read_if(row.owner == viewer.id || row.shared))]
pub struct Board {
    #[entity(key)]
    pub id: i64,
    pub owner: i64,
    pub shared: bool,
    pub open: bool,
}

/// Rules of its own tell an open board from one that is not there, whoever may read it.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "cards",
    viewer = Hand,
    belongs_to(board: Board, by = board_id),
    belongs_to(parent: Card, by = parent_id),
    belongs_to(seal: Seal, by = seal_id),
    read_if(row.owner == viewer.id),
    create_if(row.owner == viewer.id && exists(row.board, |board| board.open)),
    update_if(row.owner == viewer.id),
    updated_if(exists(row.board, |board| board.open))
)]
pub struct Card {
    #[entity(key)]
    pub id: i64,
    pub owner: i64,
    pub title: String,
    pub board_id: i64,
    pub parent_id: Option<i64>,
    pub seal_id: Option<i64>,
}

/// Nobody reads one.
#[derive(Debug, Clone, Entity)]
#[entity(table = "seals", viewer = Hand, read_if(false))]
#[entity(create_if(false))]
pub struct Seal {
    #[entity(key)]
    pub id: i64,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Card, default = visible)]
pub struct CardView {
    pub id: i64,
    pub title: String,
    pub board_id: i64,
    pub parent_id: Option<i64>,
    pub seal_id: Option<i64>,
}

#[derive(Input)]
#[input(entity = Card)]
#[preset(owner = viewer.id)]
#[serde(rename_all = "camelCase")]
pub struct NewCard {
    #[writable]
    id: Assign<i64>,
    #[writable]
    title: String,
    #[writable]
    board_id: i64,
    #[writable]
    parent_id: Assign<Option<i64>>,
    #[writable]
    seal_id: Assign<Option<i64>>,
}

#[derive(Patch)]
#[patch(entity = Card, reads = CardView)]
#[serde(rename_all = "camelCase")]
pub struct EditCard {
    #[writable]
    title: Assign<String>,
    #[writable]
    board_id: Assign<i64>,
    #[writable]
    parent_id: Assign<Option<i64>>,
    #[writable]
    seal_id: Assign<Option<i64>>,
}

/// A card that is put on a board which its sender need not see.
#[derive(Input)]
#[input(entity = Card)]
#[preset(owner = viewer.id)]
pub struct PostedCard {
    #[writable]
    title: String,
    #[writable(any_row, reason = "cards may be posted to boards of others")]
    #[writable_if(viewer.id != 13)]
    board_id: i64,
}

#[derive(Patch)]
#[patch(entity = Card)]
struct RepostCard {
    #[writable(blind, any_row, reason = "cards may be posted to boards of others")]
    board_id: Assign<i64>,
}

const SCHEMA: &str = "
    CREATE TABLE boards (
        id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, shared BOOLEAN NOT NULL, open BOOLEAN NOT NULL
    );
    CREATE TABLE seals (id INTEGER PRIMARY KEY);
    CREATE TABLE cards (
        id AUTOKEY, owner INTEGER NOT NULL, title KEYTEXT NOT NULL UNIQUE, board_id INTEGER NOT NULL,
        parent_id INTEGER, seal_id INTEGER,
        FOREIGN KEY (board_id) REFERENCES boards (id),
        FOREIGN KEY (parent_id) REFERENCES cards (id),
        FOREIGN KEY (seal_id) REFERENCES seals (id)
    );
";

/// Card 1 is by 7 on board 1, card 2 is by 8 on board 2.
pub async fn boards() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    for (id, owner, shared) in [(1, 7, false), (2, 8, false), (3, 8, true)] {
        let board = Board {
            id,
            owner,
            shared,
            open: true,
        };
        writer.insert(board).await.unwrap();
    }
    writer.insert(Seal { id: 1 }).await.unwrap();
    for (id, owner) in [(1, 7), (2, 8)] {
        let card = Card {
            id,
            owner,
            title: format!("card {id}"),
            board_id: id,
            parent_id: None,
            seal_id: None,
        };
        writer.insert(card).await.unwrap();
    }
    directory
}

pub async fn writing<T>(id: i64, work: impl AsyncFnOnce(Access<Write<Hand>>) -> T) -> T {
    testing::as_viewer(Hand { id })
        .scope(async { work(Access::<Write<Hand>>::authenticated().await.unwrap()).await })
        .await
}

pub async fn add(directory: &Directory, id: i64, body: &str) -> Result<i64> {
    let body = Untrusted::<NewCard>::json(body);
    writing(id, async |access| {
        let create = directory.db.writer(&access).create(body.open(&access)?);
        create.execute().await
    })
    .await
}

async fn edit(directory: &Directory, id: i64, card: i64, body: &str) -> Result<()> {
    let body = Untrusted::<EditCard>::json(body);
    writing(id, async |access| {
        let update = directory.db.writer(&access).update::<Card>(card);
        update.patch(body.open(&access)?).execute().await
    })
    .await
}

async fn cards(directory: &Directory) -> Vec<CardView> {
    let access = system();
    let query = CardView::select().order(CardView::ID.asc());
    directory.db.reader(&access).all(query).await.unwrap()
}

/// The whole answer.
pub fn told<T>(outcome: Result<T>) -> String {
    match outcome {
        Ok(_) => "done".to_owned(),
        Err(error) => {
            let response = error.to_response();
            format!("{} {}", response.status(), response.body())
        }
    }
}

/// The error of this field alone.
fn refused(key: &str) -> String {
    format!(
        r##"422 Unprocessable Entity {{"errors":[{{"detail":"refers to no row that you may read","pointer":"#/{key}"}}],"status":422,"title":"Unprocessable Entity","type":"about:blank"}}"##
    )
}

#[tokio::test]
async fn w41_w42_a_new_row_refers_to_what_its_viewer_may_read_and_to_nothing_else() {
    let directory = boards().await;
    for (board, expected) in [(2, refused("boardId")), (9, refused("boardId"))] {
        let body = format!(r#"{{"title":"b{board}","boardId":{board}}}"#);
        assert_eq!(told(add(&directory, 7, &body).await), expected, "{board}");
    }
    assert_eq!(cards(&directory).await.len(), 2);
    for (viewer, board) in [(7, 1), (8, 2), (7, 3), (8, 3)] {
        let body = format!(r#"{{"title":"{viewer} on {board}","boardId":{board}}}"#);
        add(&directory, viewer, &body).await.unwrap();
    }
    // A card of somebody else, and one that is not there. A null refers to nothing.
    for (parent, expected) in [
        ("2", refused("parentId")),
        ("99", refused("parentId")),
        ("1", "done".to_owned()),
        ("null", "done".to_owned()),
    ] {
        let body = format!(r#"{{"title":"under {parent}","boardId":1,"parentId":{parent}}}"#);
        assert_eq!(told(add(&directory, 7, &body).await), expected, "{parent}");
    }
    // What nobody may read is as little there as what is not.
    for seal in [1, 9] {
        let body = format!(r#"{{"title":"sealed {seal}","boardId":1,"sealId":{seal}}}"#);
        assert_eq!(told(add(&directory, 7, &body).await), refused("sealId"));
    }
    let error = add(
        &directory,
        7,
        r#"{"title":"all","boardId":2,"parentId":99,"sealId":1}"#,
    );
    let error = error.await.unwrap_err();
    let fields: Vec<_> = error.fields().iter().map(|it| it.field()).collect();
    assert_eq!(fields, ["boardId", "parentId", "sealId"]);
}

#[tokio::test]
async fn w41_it_is_the_statement_that_asks() {
    let directory = boards().await;
    let (statements, _guard) = Statements::listen();
    add(&directory, 7, r#"{"title":"one","boardId":1}"#)
        .await
        .unwrap();
    let statement = statements.one();
    assert!(statement.starts_with("INSERT"), "{statement}");
    assert!(statement.contains("shared"), "{statement}");
    edit(&directory, 7, 1, r#"{"boardId":3}"#).await.unwrap();
    let statement = statements.one();
    assert!(statement.starts_with("UPDATE"), "{statement}");
    assert!(statement.contains("shared"), "{statement}");
    // A field that is not sent is not asked about.
    edit(&directory, 7, 1, r#"{"parentId":null}"#)
        .await
        .unwrap();
    assert!(!statements.one().contains("shared"));
}

#[tokio::test]
async fn w41_w42_a_patch_refers_to_what_its_viewer_may_read_and_to_nothing_else() {
    let directory = boards().await;
    // Their own card, one of somebody else, and none.
    for card in [1, 2, 99] {
        for board in [2, 9] {
            let body = format!(r#"{{"title":"moved","boardId":{board}}}"#);
            let answer = told(edit(&directory, 7, card, &body).await);
            assert_eq!(answer, refused("boardId"), "{card} to {board}");
        }
    }
    for parent in [2, 99] {
        let body = format!(r#"{{"parentId":{parent}}}"#);
        let answer = told(edit(&directory, 7, 1, &body).await);
        assert_eq!(answer, refused("parentId"));
    }
    assert_eq!(cards(&directory).await[0].title, "card 1");
    edit(&directory, 7, 1, r#"{"boardId":3,"parentId":1}"#)
        .await
        .unwrap();
    edit(&directory, 7, 1, r#"{"parentId":null}"#)
        .await
        .unwrap();
    let missing = edit(&directory, 7, 2, r#"{"boardId":3}"#).await;
    assert!(missing.unwrap_err().is_not_found());
}

/// Every way in which a client's fields come to be written.
#[tokio::test]
async fn w42_hidden_and_absent_are_alike_in_every_form_of_a_write() {
    let directory = boards().await;
    let before = cards(&directory).await;
    let db = &directory.db;
    let mut answers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for board in [2, 9] {
        let new = format!(r#"{{"id":50,"title":"new","boardId":{board}}}"#);
        // One that meets a unique key too.
        let taken = format!(r#"{{"title":"card 2","boardId":{board}}}"#);
        let moved = format!(r#"{{"boardId":{board}}}"#);
        let mut note = |form, answer| answers.entry(form).or_default().push(answer);
        let (new, taken, moved) = (&new, &taken, &moved);
        writing(7, async |access| {
            let access = &access;
            let writer = db.writer(access);
            let new = || {
                Untrusted::<NewCard>::json(new.as_str())
                    .open(access)
                    .unwrap()
            };
            let patch = || {
                Untrusted::<EditCard>::json(moved.as_str())
                    .open(access)
                    .unwrap()
            };
            note("create", told(writer.create(new()).execute().await));
            let returned = writer.create(new()).returning::<CardView>().await;
            note("create, returning", told(returned));
            let returned = writer.create(new()).returning_if_visible::<CardView>();
            note("create, returning if visible", told(returned.await));
            let taken = Untrusted::<NewCard>::json(taken.as_str());
            let taken = taken.open(access).unwrap();
            note(
                "create of what is taken",
                told(writer.create(taken).execute().await),
            );
            for card in [1, 2, 50] {
                let update = || writer.update::<Card>(card).patch(patch());
                note("update", told(update().execute().await));
                note(
                    "update, forbidden",
                    told(update().forbidden_if_denied().execute().await),
                );
                let returned = update().returning::<CardView>().await;
                note("update, returning", told(returned));
            }
            let update = || writer.update::<Card>(50).patch(patch());
            let create = writer.create(new());
            note("update or create", told(update().or_create(create).await));
            let other = Untrusted::<EditCard>::json(r#"{"title":"other"}"#);
            let update = writer.update::<Card>(50).patch(other.open(access).unwrap());
            let create = writer.create(new());
            note("create where none is", told(update.or_create(create).await));
            for id in [1, 99] {
                let found = || CardView::select().filter(CardView::ID.eq(id));
                let many = writer.update_many(found()).patch(patch());
                note("many permitted", told(many.execute_permitted().await));
                let many = writer.update_many(found()).patch(patch());
                note("many or none", told(many.execute_all().await));
            }
            let transaction = db.begin(access).await.unwrap();
            let writer = transaction.writer();
            note(
                "in a transaction",
                told(writer.create(new()).execute().await),
            );
            let update = writer.update::<Card>(1).patch(patch());
            note("in a transaction, update", told(update.execute().await));
            note("commit", told(transaction.commit().await));
        })
        .await;
    }
    let forms = answers.len();
    assert_eq!(forms, 14);
    for (form, answers) in answers {
        let (hidden, absent) = answers.split_at(answers.len() / 2);
        assert_eq!(hidden, absent, "{form}");
        for answer in hidden {
            assert!(
                form == "commit" || *answer == refused("boardId"),
                "{form}: {answer}"
            );
        }
    }
    assert_eq!(cards(&directory).await, before);
}

/// The rules of cards read the board as it is, and still tell nothing of it to those who may not.
#[tokio::test]
async fn w42_rules_over_the_row_that_is_referred_to_do_not_tell_of_it() {
    let directory = boards().await;
    for (board, open) in [(2, "open"), (2, "closed"), (9, "open"), (9, "closed")] {
        let access = system();
        let writer = directory.db.writer(&access);
        let state = writer.update::<Board>(2).set(Board::OPEN, open == "open");
        state.execute().await.unwrap();
        let body = format!(r#"{{"title":"x","boardId":{board}}}"#);
        let answer = told(add(&directory, 7, &body).await);
        assert_eq!(answer, refused("boardId"), "{board}, {open}");
        let body = format!(r#"{{"boardId":{board}}}"#);
        let answer = told(edit(&directory, 7, 1, &body).await);
        assert_eq!(answer, refused("boardId"), "{board}, {open}");
    }
    // Those who may read it are told by the rule.
    let closed = add(&directory, 8, r#"{"title":"x","boardId":2}"#).await;
    assert!(closed.unwrap_err().is_forbidden());
    let moved = edit(&directory, 8, 2, r#"{"boardId":2}"#).await;
    assert!(moved.unwrap_err().is_not_found());
}

#[tokio::test]
async fn w43_a_field_that_says_so_refers_to_any_row() {
    let directory = boards().await;
    let post = async |viewer, board: i64| -> Result<i64, Error> {
        let body = format!(r#"{{"title":"{viewer} to {board}","board_id":{board}}}"#);
        let body = Untrusted::<PostedCard>::json(body);
        writing(viewer, async |access| {
            let create = directory.db.writer(&access).create(body.open(&access)?);
            create.execute().await
        })
        .await
    };
    post(7, 2).await.unwrap();
    // Its rule counts all the same, and so does the foreign key.
    assert!(post(13, 2).await.unwrap_err().is_forbidden());
    assert!(post(7, 9).await.unwrap_err().is_forbidden());
    let body = Untrusted::<RepostCard>::json(r#"{"board_id":2}"#);
    let moved = writing(7, async |access| {
        let update = directory.db.writer(&access).update::<Card>(1);
        update.patch(body.open(&access)?).execute().await
    });
    moved.await.unwrap();
    assert_eq!(cards(&directory).await[0].board_id, 2);
}

#[tokio::test]
async fn w43_the_program_refers_to_what_it_likes() {
    let directory = boards().await;
    writing(7, async |access| {
        let writer = directory.db.writer(&access);
        let update = writer.update::<Card>(1).set(Card::BOARD_ID, 2);
        update.execute().await.unwrap();
        let card = Card {
            id: 60,
            owner: 7,
            title: "by hand".into(),
            board_id: 2,
            parent_id: Some(2),
            seal_id: Some(1),
        };
        writer.create(card.clone()).execute().await.unwrap();
        let card = |id: i64| Card {
            id,
            title: format!("by hand {id}"),
            ..card.clone()
        };
        writer.insert_many([card(61), card(62)]).await.unwrap();
    })
    .await;
    // A system access reads every row, so that nothing is hidden from it.
    let access = system();
    let body = Untrusted::<EditCard>::json(r#"{"boardId":2,"sealId":1}"#);
    let writer = directory.db.writer(&access);
    let update = writer.update::<Card>(1).patch(body.open(&access).unwrap());
    update.execute().await.unwrap();
    let body = Untrusted::<EditCard>::json(r#"{"parentId":999}"#);
    let update = writer.update::<Card>(1).patch(body.open(&access).unwrap());
    assert!(update.execute().await.unwrap_err().is_conflict());
}
