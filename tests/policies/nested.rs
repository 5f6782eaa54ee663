//! Nested DTOs: related rows, each by the rules of its own DTO, in one query for each relation.

use clearance::{Access, Db, Dto, Field, Read, testing};

use crate::blog::{Account, Comment, Grant, Post, Reader, blog, comment, reader};
use crate::support::{Directory, Statements, execute, public, system};

#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Account, default = visible)]
struct AuthorView {
    name: String,
    #[visible_if(same(viewer.team, row.team))]
    team: Field<Option<String>>,
}

#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Comment, default = visible)]
struct CommentInPost {
    id: i64,
    #[visible_if(row.author_id == viewer.id)]
    text: Field<String>,
    #[dto(related)]
    author: Option<AuthorView>,
}

#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Grant, default = visible)]
struct GrantView {
    reader: i64,
}

/// `topic` is hidden from those outside the author's team, and with it the grants of that topic.
#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Post, default = visible)]
struct PostView {
    id: i64,
    #[visible_if(exists(row.author, |author| same(viewer.team, author.team)))]
    topic: Field<Option<String>>,
    #[dto(related)]
    author: Option<AuthorView>,
    #[visible_if(row.id != 2)]
    #[dto(related = comments)]
    replies: Field<Vec<CommentInPost>>,
    #[dto(related)]
    grants: Field<Vec<GrantView>>,
}

async fn posts(db: &Db, viewer: Reader) -> Vec<PostView> {
    testing::as_viewer(viewer)
        .scope(async {
            let access = Access::<Read<Reader>>::authenticated().await.unwrap();
            let query = PostView::select().order(PostView::ID.asc());
            db.reader(&access).all(query).await.unwrap()
        })
        .await
}

fn ids(rows: &[CommentInPost]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn r12_each_nested_row_is_shown_by_its_own_rules() {
    let Directory { db, .. } = &blog().await;
    let rows = posts(db, reader(1, Some("red"))).await;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 2]);

    let replies = rows[0].replies.visible().unwrap();
    assert_eq!(ids(replies), [1, 2]);
    // The post is the viewer's own, and so is one of its comments only.
    assert_eq!(replies[0].text, Field::Visible("comment1".to_owned()));
    assert_eq!(replies[1].text, Field::Hidden);

    // The author of the post by the rules of the author.
    let author = rows[0].author.as_ref().unwrap();
    assert_eq!(author.team, Field::Visible(Some("red".to_owned())));
    let other = rows[0].replies.visible().unwrap()[1]
        .author
        .as_ref()
        .unwrap();
    assert_eq!(other.name, "account4");
}

#[tokio::test]
async fn r14_a_hidden_list_is_marked_and_is_no_empty_list() {
    let directory = blog().await;
    let rows = posts(&directory.db, reader(1, Some("red"))).await;
    assert_eq!(rows[1].replies, Field::Hidden);
    let json = serde_json::to_value(&rows[1]).unwrap();
    assert!(json.get("replies").is_none(), "{json}");

    // A list that may be seen and has nothing in it is an empty list.
    execute(&directory.pool, "DELETE FROM comments WHERE post_id = 1").await;
    let rows = posts(&directory.db, reader(1, Some("red"))).await;
    assert_eq!(rows[0].replies, Field::Visible(Vec::new()));
    let json = serde_json::to_value(&rows[0]).unwrap();
    assert_eq!(json["replies"], serde_json::json!([]));
}

#[tokio::test]
async fn r11_a_hidden_joining_column_hides_what_it_joins() {
    let Directory { db, .. } = &blog().await;
    // Viewer 7 reads post 4 by a grant of its topic, and may not see the topic itself.
    let rows = posts(db, reader(7, None)).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].id, &rows[0].topic), (4, &Field::Hidden));
    assert_eq!(rows[0].grants, Field::Hidden);

    let access = system();
    let shown = Grant {
        id: 9,
        topic: Some("cats".into()),
        reader: 3,
    };
    db.writer(&access).insert(shown).await.unwrap();
    let rows = posts(db, reader(1, Some("red"))).await;
    assert_eq!(rows[0].topic, Field::Visible(Some("cats".into())));
    let expected = Field::Visible(vec![GrantView { reader: 3 }]);
    assert_eq!(rows[0].grants, expected, "`Cats` is another topic");
    // A null topic is shared with nobody.
    assert_eq!(rows[1].topic, Field::Visible(None));
    assert_eq!(rows[1].grants, Field::Visible(Vec::new()));
}

/// The post of a comment can be hidden.
#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Comment, default = visible)]
struct CommentOfHiddenPost {
    id: i64,
    #[visible_if(row.author_id == viewer.id)]
    post_id: Field<i64>,
}

#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Post, default = visible)]
struct PostWithComments {
    id: i64,
    #[dto(related)]
    comments: Vec<CommentOfHiddenPost>,
}

#[tokio::test]
async fn r11_a_row_whose_own_joining_column_is_hidden_is_not_listed_where_that_would_tell() {
    let Directory { db, .. } = &blog().await;
    let listed = async |viewer: Reader| {
        testing::as_viewer(viewer)
            .scope(async {
                let access = Access::<Read<Reader>>::authenticated().await.unwrap();
                let query = PostWithComments::select().lookup(Post::ID, 1);
                let post = db.reader(&access).one(query).await.unwrap();
                post.comments.iter().map(|row| row.id).collect::<Vec<_>>()
            })
            .await
    };
    assert_eq!(listed(reader(1, Some("red"))).await, [1]);
    assert_eq!(listed(reader(4, Some("red"))).await, [2]);
}

#[tokio::test]
async fn s8_a_related_row_that_may_not_be_read_is_not_there() {
    #[derive(Debug, Dto)]
    #[dto(entity = Comment, default = visible)]
    struct WithPost {
        id: i64,
        #[dto(related)]
        post: Option<Title>,
    }
    #[derive(Debug, Dto)]
    #[dto(entity = Post, default = visible)]
    struct Title {
        title: String,
    }
    let Directory { db, .. } = &blog().await;
    let rows = testing::as_viewer(reader(2, Some("blue")))
        .scope(async {
            let access = Access::<Read<Reader>>::authenticated().await.unwrap();
            let query = WithPost::select().order(WithPost::ID.asc());
            db.reader(&access).all(query).await.unwrap()
        })
        .await;
    let titles: Vec<_> = rows
        .iter()
        .map(|row| (row.id, row.post.as_ref().map(|post| post.title.as_str())))
        .collect();
    let post3 = Some("post3");
    assert_eq!(
        titles,
        [(1, None), (2, None), (3, post3), (4, post3), (5, None)]
    );
}

#[tokio::test]
async fn r1_nested_rows_take_one_statement_for_each_relation_however_many_rows_there_are() {
    let directory = blog().await;
    let access = system();
    for id in 100..160 {
        let more = comment(id, 1, Some(1 + id % 3), Some(false));
        directory.db.writer(&access).insert(more).await.unwrap();
    }
    let (statements, _guard) = Statements::listen();
    let rows = posts(&directory.db, reader(1, Some("red"))).await;
    assert_eq!(rows[0].replies.visible().unwrap().len(), 62);
    let statements = statements.take();
    // Posts, their authors, their comments, the authors of those, and grants.
    assert_eq!(statements.len(), 5, "{statements:#?}");
}

#[tokio::test]
async fn r14_without_rows_to_nest_in_there_is_one_statement() {
    let directory = blog().await;
    let (statements, _guard) = Statements::listen();
    assert!(posts(&directory.db, reader(42, None)).await.is_empty());
    statements.one();
}

#[tokio::test]
async fn x1_a_list_that_is_hidden_in_every_row_is_not_asked_for() {
    let directory = blog().await;
    let (statements, _guard) = Statements::listen();
    testing::as_viewer(reader(1, Some("red")))
        .scope(async {
            let access = Access::<Read<Reader>>::authenticated().await.unwrap();
            let query = PostView::select().lookup(Post::ID, 2);
            let post = directory.db.reader(&access).one(query).await.unwrap();
            assert_eq!(post.replies, Field::Hidden);
        })
        .await;
    // The post and its author; a null topic is shared with no grant either.
    let statements = statements.take();
    assert_eq!(statements.len(), 2, "{statements:#?}");
}

#[tokio::test]
async fn x11_nobody_and_the_program_itself_read_nested_rows_by_their_own_rules() {
    let Directory { db, .. } = &blog().await;
    testing::as_nobody()
        .scope(async {
            let access = public();
            let query = CommentInPost::select().order(CommentInPost::ID.asc());
            let rows = db.reader(&access).all(query).await.unwrap();
            assert_eq!(ids(&rows), [1, 2, 3, 4, 5]);
            assert!(rows.iter().all(|row| row.text.is_hidden()));
            assert_eq!(rows[0].author.as_ref().unwrap().team, Field::Hidden);
        })
        .await;
    let access = system();
    let rows = db.reader(&access).all(PostView::select()).await.unwrap();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| !row.replies.is_hidden()));
}

/// The derive does not say it of a DTO that shows related rows; whoever does learns it when it runs.
impl clearance::repository::Streamed for PostView {}

#[tokio::test]
async fn nested_rows_cannot_be_streamed_or_made_of_rows_in_memory() {
    let Directory { db, .. } = &blog().await;
    testing::as_viewer(reader(1, Some("red")))
        .scope(async {
            let access = Access::<Read<Reader>>::authenticated().await.unwrap();
            let error = db
                .reader(&access)
                .stream(PostView::select())
                .await
                .err()
                .unwrap();
            assert!(error.is_misuse(), "{error}");
            let rows = [comment(1, 1, None, None)];
            let error = access.project::<CommentInPost>(rows).await.unwrap_err();
            assert!(error.is_misuse(), "{error}");
        })
        .await;
}

#[derive(Debug, Dto)]
#[dto(entity = Post, default = visible)]
struct Endless {
    #[dto(related)]
    comments: Vec<EndlessComment>,
}

#[derive(Debug, Dto)]
#[dto(entity = Comment, default = visible)]
struct EndlessComment {
    #[dto(related)]
    post: Option<Box_>,
}

/// The same entity again, around the comments that are around it.
#[derive(Debug, Dto)]
#[dto(entity = Post, default = visible)]
struct Box_ {
    #[dto(related)]
    comments: Vec<EndlessComment>,
}

#[tokio::test]
async fn a_dto_nested_in_itself_is_a_misuse_and_no_endless_query() {
    let Directory { db, .. } = &blog().await;
    testing::as_viewer(reader(1, Some("red")))
        .scope(async {
            let access = Access::<Read<Reader>>::authenticated().await.unwrap();
            let error = db.reader(&access).all(Endless::select()).await.unwrap_err();
            assert!(error.is_misuse(), "{error}");
            assert!(error.to_string().contains("nested in itself"), "{error}");
        })
        .await;
}

#[derive(Debug, Dto)]
#[dto(entity = Post, default = visible)]
struct CannotHide {
    #[visible_if(row.id == 1)]
    author_id: Field<Option<i64>>,
    #[dto(related)]
    author: Option<AuthorView>,
}

#[tokio::test]
async fn r11_a_type_that_cannot_say_hidden_is_a_misuse_for_whoever_asks_first() {
    let Directory { db, .. } = &blog().await;
    testing::as_viewer(reader(1, Some("red")))
        .scope(async {
            let access = Access::<Read<Reader>>::authenticated().await.unwrap();
            let query = CannotHide::select();
            let error = db.reader(&access).all(query).await.unwrap_err();
            assert!(error.is_misuse(), "{error}");
            assert!(
                error.to_string().contains("`CannotHide::author`"),
                "{error}"
            );
        })
        .await;
}

clearance::app! {
    static APP = { viewer: Reader, dtos: [PostView], repositories: [] };
}

#[tokio::test]
async fn p13_what_related_rows_stand_in_is_looked_for_when_the_program_starts() {
    let Directory { db, pool, .. } = &blog().await;
    db.check(&APP).await.unwrap();
    // No DTO shows it, but a rule reads it.
    execute(pool, "DROP TABLE grants").await;
    let error = db.check(&APP).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "configuration: the database schema does not fit the entities:\n\
         - the table `grants` of `Grant` is missing"
    );
}

clearance::app! {
    static ENDLESS = { viewer: Reader, dtos: [Endless], repositories: [] };
}

#[tokio::test]
async fn p13_a_dto_nested_in_itself_is_found_when_the_program_starts() {
    let error = blog().await.db.check(&ENDLESS).await.unwrap_err();
    assert!(error.to_string().contains("nested in itself"), "{error}");
}

#[tokio::test]
async fn x6_p10_an_explanation_does_not_answer_for_related_rows() {
    testing::as_viewer(reader(1, Some("red")))
        .scope(async {
            let access = Access::<Read<Reader>>::authenticated().await.unwrap();
            let row = crate::blog::post(1, Some(1), None);
            let explanation = access.explain::<PostView>(&row).await.unwrap();
            let read = explanation
                .rows(clearance::entity::RowAction::Read)
                .unwrap();
            assert!(read.needs_related_rows());
            let text = explanation.to_string();
            assert!(
                text.contains(
                    "row, read: not decided by this row alone, because the rule reads related rows"
                ),
                "{text}"
            );
            // What needs none is told.
            let create = explanation
                .rows(clearance::entity::RowAction::Create)
                .unwrap();
            assert!(!create.needs_related_rows());
        })
        .await;
}
