//! What an input may refer to: in the registry, in the matrix and in the check at start.

use clearance::input::Assign;
use clearance::{Dto, Entity, Input};
use clearance_matrix::{Matrix, MatrixBuilder};

use crate::support::*;

#[derive(Debug, Entity)]
#[entity(table = "shelves", viewer = Member, read_if(row.owner == viewer.id))]
pub struct Shelf {
    #[entity(key)]
    pub id: i64,
    pub owner: i64,
}

#[derive(Debug, Entity)]
#[entity(
    table = "books",
    viewer = Member,
    rows = open,
    reason = "inputs are under test",
    belongs_to(shelf: Shelf, by = shelf_id),
    create_if(viewer.id > 0)
)]
pub struct Book {
    #[entity(key)]
    pub id: i64,
    pub shelf_id: i64,
    pub lent_to: Option<i64>,
    pub owner: i64,
}

#[derive(Debug, Dto)]
#[dto(entity = Book, default = visible)]
pub struct BookView {
    pub id: i64,
}

#[derive(Debug, Input)]
#[input(entity = Book)]
#[preset(owner = viewer.id)]
pub struct NewBook {
    #[writable]
    pub shelf_id: i64,
    #[writable]
    pub lent_to: Assign<Option<i64>>,
}

#[derive(Debug, Input)]
#[input(entity = Book)]
#[preset(owner = viewer.id)]
pub struct FoundBook {
    #[writable(any_row, reason = "books are brought back to any shelf")]
    pub shelf_id: i64,
    #[writable(any_row, reason = "members are known by number")]
    pub lent_to: Assign<Option<i64>>,
}

clearance::app! {
    pub static BOOKS = {
        viewer: Member,
        dtos: [BookView],
        inputs: [NewBook, FoundBook],
        repositories: [],
    };
}

const SCHEMA: &str = "
    CREATE TABLE shelves (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL);
    CREATE TABLE members (id INTEGER PRIMARY KEY);
    CREATE TABLE books (
        id INTEGER PRIMARY KEY, shelf_id INTEGER NOT NULL, lent_to INTEGER, owner INTEGER NOT NULL,
        FOREIGN KEY (shelf_id) REFERENCES shelves (id), FOREIGN KEY (lent_to) REFERENCES members (id),
        FOREIGN KEY (owner) REFERENCES members (id)
    )";

fn matrix(of: MatrixBuilder<'_, Member>) -> Matrix {
    of.viewer("editor", &editor()).build().unwrap()
}

#[tokio::test]
async fn w45_a_foreign_key_that_an_input_sets_without_a_relation_is_named() {
    let directory = empty_directory(SCHEMA).await;
    let events = Events::of("clearance::check");
    directory.db.check(&BOOKS).await.unwrap();
    let events = events.take();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].starts_with("WARN"), "{events:?}");
    for word in ["NewBook", "lent_to", "members"] {
        assert!(events[0].contains(word), "{events:?}");
    }
    let schema = directory.db.schema(&BOOKS).await.unwrap();
    let text = matrix(Matrix::of(&BOOKS).with_schema(&schema)).to_markdown();
    let named = "`NewBook::lent_to` refers to rows of the table `members`, and `Book` declares no relation for it";
    assert!(text.contains(named), "{text}");
    let lint = "Input sets a foreign key without a relation";
    assert_eq!(text.matches(lint).count(), 1, "{text}");
}

#[test]
fn w43_w44_x7_the_matrix_says_what_a_field_refers_to_and_where_any_row_will_do() {
    let matrix = matrix(Matrix::of(&BOOKS));
    let text = matrix.to_markdown();
    for line in [
        "must be sent, sets `shelf` to one that may be read",
        "must be sent, sets `shelf` to any",
        r"depends: `exists(row.shelf, \|row\| row.owner == 2)`",
        "| reference to any row | `FoundBook::shelf_id` | books are brought back to any shelf |",
        "| reference to any row | `FoundBook::lent_to` | members are known by number |",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(matrix.to_html().contains("sets <code>shelf</code> to any"));
    let json: serde_json::Value = serde_json::from_str(&matrix.to_json().unwrap()).unwrap();
    let field = &json["inputs"][1]["fields"][0];
    assert_eq!(field["refers_to"][0], "shelf");
    assert_eq!(field["any_row"], "books are brought back to any shelf");
    let inputs = BOOKS.inputs();
    let fields = inputs[0].fields();
    assert_eq!(fields[0].relations()[0].name(), "shelf");
    assert!(fields[1].relations().is_empty());
    assert_eq!(fields[0].any_row(), None);
}
