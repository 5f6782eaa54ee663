//! `unguarded_sql` and DTOs that show more than columns.

use clearance::{Access, Dto, Field, Read, testing};

use crate::blog::{Account, Comment, CommentView, Post, Reader, SCHEMA, Title};
use crate::escape::{REASON, own};
use crate::support::{
    Member, Person, Role, admin, directory, editor, empty_directory, execute, stranger,
};

#[tokio::test]
async fn r22_a_rule_over_related_rows_is_unknown_and_denies() {
    let directory = empty_directory(SCHEMA).await;
    execute(
        &directory.pool,
        "INSERT INTO accounts VALUES (1, 'ada', 'red', FALSE);
         INSERT INTO posts VALUES (1, 'first', NULL, 1);
         INSERT INTO comments VALUES (1, 1, 1, 'hello', FALSE)",
    )
    .await;
    let viewer = Reader {
        id: 1,
        team: Some("red".into()),
    };
    let (guarded, posts, comments) = testing::as_viewer(viewer)
        .scope(async {
            let access = Access::<Read<Reader>>::authenticated().await.unwrap();
            let reader = directory.db.reader(&access);
            let posts: Vec<Title> = reader
                .unguarded_sql::<Post>(REASON, "SELECT * FROM posts")
                .project()
                .await
                .unwrap();
            let comments: Vec<CommentView> = reader
                .unguarded_sql::<Comment>(REASON, "SELECT * FROM comments")
                .project()
                .await
                .unwrap();
            let guarded = reader.all(CommentView::select()).await.unwrap();
            (guarded, posts, comments)
        })
        .await;
    assert!(posts.is_empty());
    // Not hidden by the rule, nor by its opposite, where the relation can be asked.
    assert!(!guarded[0].text.is_hidden() && !guarded[0].author_id.is_hidden());
    assert_eq!(comments[0].id, 1);
    assert!(comments[0].text.is_hidden() && comments[0].reported.is_hidden());
    assert!(comments[0].author_id.is_hidden() && comments[0].post_id.is_hidden());
}

fn card(username: &str, phone: &Option<String>) -> String {
    format!("{username} <{}>", phone.as_deref().unwrap_or("-"))
}

#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
struct Card {
    id: i64,
    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]
    phone: Field<Option<String>>,
    #[dto(computed = card, from(username, phone))]
    card: Field<String>,
}

#[tokio::test]
async fn r22_r16_a_computed_field_is_hidden_without_its_inputs() {
    let directory = directory().await;
    let cards = async |viewer: Member, sql: &'static str| -> Vec<Field<String>> {
        let rows: Vec<Card> = own(&directory, viewer, sql).await.unwrap();
        assert!(rows.iter().all(|row| row.id > 0));
        assert!(
            rows.iter()
                .all(|row| row.phone.is_hidden() <= row.card.is_hidden())
        );
        rows.into_iter().map(|row| row.card).collect()
    };
    let whole = "SELECT * FROM people WHERE id IN (1, 3) ORDER BY id";
    let first = Field::Visible("user1 <+49 30 555001>".to_owned());
    assert_eq!(cards(editor(), whole).await, [first.clone(), Field::Hidden]);
    assert_eq!(
        cards(stranger(), whole).await,
        [Field::Hidden, Field::Hidden]
    );
    assert_eq!(cards(admin(), whole).await[0], first);
    for sql in [
        "SELECT id, phone, team, suspended FROM people WHERE id = 1",
        "SELECT id, username, team, suspended FROM people WHERE id = 1",
    ] {
        assert_eq!(cards(admin(), sql).await, [Field::Hidden]);
    }
}

#[tokio::test]
async fn r22_a_nested_dto_is_refused() {
    #[derive(Debug, Dto)]
    #[dto(entity = Account, default = visible)]
    struct AuthorName {
        name: String,
    }

    #[derive(Debug, Dto)]
    #[dto(entity = Comment, default = visible)]
    struct Nested {
        id: i64,
        #[dto(related)]
        author: Option<AuthorName>,
    }

    let directory = empty_directory(SCHEMA).await;
    execute(
        &directory.pool,
        "INSERT INTO comments VALUES (1, 1, 1, 'hello', FALSE)",
    )
    .await;
    let access = crate::support::system();
    let reader = directory.db.reader(&access);
    let rows = reader
        .unguarded_sql::<Comment>(REASON, "SELECT * FROM comments")
        .project::<Nested>()
        .await;
    let error = rows
        .map(|rows| {
            rows.into_iter()
                .map(|row| (row.id, row.author.map(|author| author.name)))
                .collect::<Vec<_>>()
        })
        .unwrap_err();
    assert!(error.is_misuse() && error.to_string().contains("related rows"));
}
