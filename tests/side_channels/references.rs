//! Which rows there are that a viewer may not read cannot be told by referring to them: a database in
//! which they are and one in which they are not give the same answers to the same writes.

use std::cell::RefCell;

use clearance::input::Assign;
use clearance::{
    Access, Db, Dto, Entity, Input, Patch, Result, System, Untrusted, Viewer, Write, testing,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::engines::{self, Database};
use crate::seeds;

const PAIRS: u32 = 150;
const TRIED: usize = 8;
/// Keys up to this one are referred to, so that some are of no board at all.
const BOARDS: i64 = 9;

#[derive(Debug, Clone, Viewer)]
struct Hand {
    id: i64,
    team: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "boards",
    viewer = Hand,
    tenant_if(row.team == viewer.team),
    belongs_to(above: Board, by = above_id),
    read_if(row.owner == viewer.id || row.shared),
    create_if(viewer.id > 0),
    update_if(row.owner == viewer.id)
)]
struct Board {
    #[entity(key)]
    id: i64,
    team: i64,
    owner: i64,
    shared: bool,
    open: bool,
    above_id: Option<i64>,
}

/// Its rules ask the boards as they are, and another one than the rule for reading does.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "cards",
    viewer = Hand,
    belongs_to(board: Board, by = board_id),
    belongs_to(origin: Board, by = origin_id),
    read_if(row.owner == viewer.id),
    create_if(row.owner == viewer.id && exists(row.board, |board| board.open)),
    update_if(row.owner == viewer.id),
    updated_if(row.origin_id.is_none() || exists(row.origin, |origin| origin.open))
)]
struct Card {
    #[entity(key)]
    id: i64,
    owner: i64,
    title: String,
    board_id: i64,
    origin_id: Option<i64>,
}

#[derive(Debug, Dto)]
#[dto(entity = Card, default = visible)]
struct CardView {
    id: i64,
    title: String,
    board_id: i64,
    origin_id: Option<i64>,
}

#[derive(Debug, Dto)]
#[dto(entity = Board, default = visible)]
struct BoardView {
    id: i64,
    above_id: Option<i64>,
}

#[derive(Debug, Input)]
#[input(entity = Card)]
#[preset(owner = viewer.id)]
struct NewCard {
    #[writable]
    id: i64,
    #[writable]
    title: String,
    #[writable_if(exists(row.board, |board| board.open || board.owner == viewer.id))]
    board_id: i64,
    #[writable]
    origin_id: Assign<Option<i64>>,
}

#[derive(Debug, Patch)]
#[patch(entity = Card, reads = CardView)]
struct EditCard {
    #[writable]
    title: Assign<String>,
    #[writable_if(row.board_id != before.board_id)]
    board_id: Assign<i64>,
    #[writable_if(row.origin_id.is_none() || exists(row.origin, |origin| !origin.shared))]
    origin_id: Assign<Option<i64>>,
}

#[derive(Debug, Patch)]
#[patch(entity = Board, reads = BoardView)]
struct EditBoard {
    #[writable]
    above_id: Assign<Option<i64>>,
}

const SCHEMA: &str = "
    CREATE TABLE boards (
        id INTEGER PRIMARY KEY, team INTEGER NOT NULL, owner INTEGER NOT NULL, shared BOOLEAN NOT NULL,
        open BOOLEAN NOT NULL, above_id INTEGER, FOREIGN KEY (above_id) REFERENCES boards (id)
    );
    CREATE TABLE cards (
        id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, title KEYTEXT NOT NULL UNIQUE,
        board_id INTEGER NOT NULL, origin_id INTEGER,
        FOREIGN KEY (board_id) REFERENCES boards (id), FOREIGN KEY (origin_id) REFERENCES boards (id)
    );
";

const FORMS: [&str; 12] = [
    "create",
    "create, returning",
    "create, returning if visible",
    "patch",
    "patch, returning",
    "patch, forbidden",
    "patch or create",
    "many permitted",
    "many or none",
    "board",
    "transaction",
    "explain",
];

#[derive(Debug, Clone)]
struct Attempt {
    form: usize,
    card: i64,
    title: i64,
    board: Option<i64>,
    /// None where it is not sent, and a null where it is no board.
    origin: Option<Option<i64>>,
}

fn board() -> impl Strategy<Value = Board> {
    (
        proptest::sample::select(vec![1, 1, 1, 2]),
        1..4_i64,
        proptest::bool::weighted(0.3),
        any::<bool>(),
    )
        .prop_map(|(team, owner, shared, open)| Board {
            id: 0,
            team,
            owner,
            shared,
            open,
            above_id: None,
        })
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let key = || 1..=BOARDS;
    (
        0..FORMS.len(),
        1..6_i64,
        1..12_i64,
        proptest::option::weighted(0.8, key()),
        proptest::option::weighted(0.5, proptest::option::weighted(0.8, key())),
    )
        .prop_map(|(form, card, title, board, origin)| Attempt {
            form,
            card,
            title,
            board,
            origin,
        })
}

#[derive(Default)]
struct Tally {
    pairs: usize,
    tried: Vec<usize>,
    refused: usize,
    done: usize,
}

#[test]
fn s21_t_3_w42_rows_that_may_not_be_read_change_no_answer_to_who_refers_to_them() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (one, other) = runtime.block_on(async {
        (
            engines::database(SCHEMA).await,
            engines::database(SCHEMA).await,
        )
    });
    let pairs = seeds::cases("SIDE_CHANNELS_REFERENCE_CASES", PAIRS);
    let tally = RefCell::new(Tally {
        tried: vec![0; FORMS.len()],
        ..Tally::default()
    });
    let strategy = (
        proptest::collection::vec(board(), 4..8),
        (1..4_i64).prop_map(|id| Hand { id, team: 1 }),
        proptest::collection::vec(attempt(), TRIED),
        any::<u8>(),
    );
    seeds::runner(pairs)
        .run(&strategy, |(boards, viewer, attempts, gone)| {
            let run = pair(&one, &other, boards, &viewer, &attempts, gone, &tally);
            runtime.block_on(run)
        })
        .unwrap();

    let tally = tally.into_inner();
    println!(
        "{:?}: {} pairs, {:?} of each form, {} refused by the field, {} done",
        engines::engine(),
        tally.pairs,
        tally.tried,
        tally.refused,
        tally.done,
    );
    if pairs >= PAIRS {
        assert!(tally.pairs >= 100, "only {} pairs", tally.pairs);
        assert!(tally.tried.iter().all(|tried| *tried >= 25));
        assert!(tally.refused >= 150, "{} were refused", tally.refused);
        assert!(tally.done >= 100, "{} were done", tally.done);
    }
}

async fn pair(
    one: &Database,
    other: &Database,
    mut boards: Vec<Board>,
    viewer: &Hand,
    attempts: &[Attempt],
    gone: u8,
    tally: &RefCell<Tally>,
) -> Result<(), TestCaseError> {
    for (board, id) in boards.iter_mut().zip(1..) {
        board.id = id;
    }
    let hidden =
        |board: &Board| board.team != viewer.team || !(board.owner == viewer.id || board.shared);
    let mut left = boards.clone();
    left.retain(|board| !hidden(board) || gone >> board.id & 1 == 1);
    if left.len() == boards.len() {
        return Ok(());
    }
    let seen = left.iter().find(|board| !hidden(board)).map(|it| it.id);
    for (database, boards) in [(one, &boards), (other, &left)] {
        fill(&database.db, boards, seen, viewer).await;
    }
    for attempt in attempts {
        let mut answers = Vec::new();
        for database in [one, other] {
            let request = testing::as_viewer(viewer.clone());
            let answer = request.scope(async {
                let access = Access::<Write<Hand>>::authenticated().await.unwrap();
                written(&database.db, &access, attempt).await
            });
            answers.push(answer.await);
        }
        prop_assert_eq!(&answers[0], &answers[1], "{:?}", attempt);
        let mut tally = tally.borrow_mut();
        tally.tried[attempt.form] += 1;
        tally.refused += usize::from(answers[0].contains("422"));
        tally.done += usize::from(answers[0].starts_with("done"));
    }
    prop_assert_eq!(cards(&one.db).await, cards(&other.db).await);
    tally.borrow_mut().pairs += 1;
    Ok(())
}

async fn fill(db: &Db, boards: &[Board], seen: Option<i64>, viewer: &Hand) {
    let access: Access<System> = Access::system("a test").unwrap();
    let writer = db.writer(&access);
    let reader = db.reader(&access);
    for card in reader.all(CardView::select()).await.unwrap() {
        writer.delete::<Card>(card.id).await.unwrap();
    }
    let stored = reader.all(BoardView::select()).await.unwrap();
    for board in &stored {
        let update = writer.update::<Board>(board.id).clear(Board::ABOVE_ID);
        update.execute().await.unwrap();
    }
    for board in &stored {
        writer.delete::<Board>(board.id).await.unwrap();
    }
    writer.insert_many(boards.to_vec()).await.unwrap();
    for (id, owner) in [(1, viewer.id), (2, viewer.id), (3, viewer.id + 1)] {
        if let Some(board_id) = seen {
            let card = Card {
                id,
                owner,
                title: format!("title {id}"),
                board_id,
                origin_id: None,
            };
            writer.insert(card).await.unwrap();
        }
    }
}

async fn cards(db: &Db) -> String {
    let access: Access<System> = Access::system("a test").unwrap();
    let query = CardView::select().order(CardView::ID.asc());
    serde_json::to_string(&db.reader(&access).all(query).await.unwrap()).unwrap()
}

/// The whole answer, with what is returned.
fn told<T: Serialize>(outcome: Result<T>) -> String {
    match outcome {
        Ok(returned) => format!("done {}", serde_json::to_string(&returned).unwrap()),
        Err(error) => {
            assert!(error.status() != 500, "{error:?}");
            error.to_response().body().clone()
        }
    }
}

impl Attempt {
    fn edit(&self) -> String {
        let mut body = Map::new();
        if self.title % 2 == 0 {
            body.insert("title".to_owned(), json!(format!("title {}", self.title)));
        }
        if let Some(board) = self.board {
            body.insert("board_id".to_owned(), json!(board));
        }
        if let Some(origin) = self.origin {
            body.insert("origin_id".to_owned(), json!(origin));
        }
        Value::Object(body).to_string()
    }

    fn created(&self, id: i64) -> String {
        let mut body = json!({
            "id": id, "title": format!("title {}", self.title), "board_id": self.board.unwrap_or(1),
        });
        if let Some(origin) = self.origin {
            body["origin_id"] = json!(origin);
        }
        body.to_string()
    }
}

async fn written(db: &Db, access: &Access<Write<Hand>>, attempt: &Attempt) -> String {
    let writer = db.writer(access);
    let new = |id| Untrusted::<NewCard>::json(attempt.created(id)).open(access);
    let patch = || Untrusted::<EditCard>::json(attempt.edit()).open(access);
    let found = || CardView::select().filter(CardView::ID.le(attempt.card));
    match FORMS[attempt.form] {
        "create" => told(async { writer.create(new(attempt.card + 3)?).execute().await }.await),
        "create, returning" => told(
            async {
                let create = writer.create(new(attempt.card + 3)?);
                create.returning::<CardView>().await
            }
            .await,
        ),
        "create, returning if visible" => told(
            async {
                let create = writer.create(new(attempt.card + 3)?);
                create.returning_if_visible::<CardView>().await
            }
            .await,
        ),
        "patch" => told(
            async {
                let update = writer.update::<Card>(attempt.card).patch(patch()?);
                update.execute().await
            }
            .await,
        ),
        "patch, returning" => told(
            async {
                let update = writer.update::<Card>(attempt.card).patch(patch()?);
                update.returning::<CardView>().await
            }
            .await,
        ),
        "patch, forbidden" => told(
            async {
                let update = writer.update::<Card>(attempt.card).patch(patch()?);
                update.forbidden_if_denied().execute().await
            }
            .await,
        ),
        "patch or create" => told(
            async {
                let update = writer.update::<Card>(attempt.card).patch(patch()?);
                update.or_create(writer.create(new(attempt.card)?)).await
            }
            .await,
        ),
        "many permitted" | "many or none" if attempt.edit() == "{}" => "nothing".to_owned(),
        "many permitted" => told(
            async {
                let many = writer.update_many(found()).patch(patch()?);
                many.execute_permitted().await
            }
            .await,
        ),
        "many or none" => told(
            async {
                let many = writer.update_many(found()).patch(patch()?);
                many.execute_all().await
            }
            .await,
        ),
        "board" => {
            let body = json!({ "above_id": attempt.board }).to_string();
            told(
                async {
                    let patch = Untrusted::<EditBoard>::json(body).open(access)?;
                    let update = writer.update::<Board>(attempt.title).patch(patch);
                    update.execute().await
                }
                .await,
            )
        }
        "transaction" => {
            let transaction = db.begin(access).await.unwrap();
            let writer = transaction.writer();
            let mut answer =
                told(async { writer.create(new(attempt.card + 3)?).execute().await }.await);
            if !answer.contains("409") {
                let update = async {
                    let update = writer.update::<Card>(attempt.card).patch(patch()?);
                    update.execute().await
                };
                answer += &told(update.await);
            }
            answer + &told(transaction.rollback().await)
        }
        "explain" => told(
            async {
                let update = writer.update::<Card>(attempt.card).patch(patch()?);
                let explanation = update.explain().await?;
                // It is for logs, and says of rules what they read; of the reference it says no more.
                let said = explanation.refers("board_id");
                let said = said.map(|(_, verdict)| format!("{:?}", verdict.outcome()));
                Ok(said.collect::<Vec<_>>())
            }
            .await,
        ),
        other => panic!("no form `{other}`"),
    }
}
