//! A blog whose rules read related rows: the entities, and a database of them.

use clearance::{Dto, Entity, Field, Viewer};

use crate::support::{Directory, empty_directory, system};

#[derive(Debug, Clone, Viewer)]
pub struct Reader {
    pub id: i64,
    pub team: Option<String>,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "accounts", viewer = Reader, rows = open, reason = "names are on every post")]
pub struct Account {
    #[entity(key)]
    pub id: i64,
    pub name: String,
    pub team: Option<String>,
    pub banned: bool,
}

/// A post is for those of its author's team, and for whoever a grant of its topic names, but not
/// where a comment was reported.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "posts",
    viewer = Reader,
    belongs_to(author: Account, by = author_id),
    has_many(comments: Comment, by = post_id),
    has_many(grants: Grant, on(topic = topic)),
    read_if(
        exists(row.author, |author| same(viewer.team, author.team))
            || exists(row.grants, |grant| grant.reader == viewer.id)
    ),
    read_unless(exists(row.comments, |comment| comment.reported)),
    create_if(row.author_id == viewer.id),
    update_if(exists(row.author, |author| author.id == viewer.id && !author.banned)),
    delete_if(!exists(row.comments, |comment| comment.author_id != viewer.id))
)]
pub struct Post {
    #[entity(key)]
    pub id: i64,
    pub title: String,
    pub topic: Option<String>,
    pub author_id: Option<i64>,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "comments",
    viewer = Reader,
    belongs_to(post: Post, by = post_id),
    belongs_to(author: Account, by = author_id),
    rows = open,
    reason = "rules of the fields are under test"
)]
pub struct Comment {
    #[entity(key)]
    pub id: i64,
    pub post_id: i64,
    pub author_id: Option<i64>,
    pub text: String,
    pub reported: Option<bool>,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "grants", viewer = Reader, rows = open, reason = "only rules read them")]
pub struct Grant {
    #[entity(key)]
    pub id: i64,
    pub topic: Option<String>,
    pub reader: i64,
}

#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Post, default = visible)]
pub struct Title {
    pub id: i64,
    pub title: String,
}

/// Each field shows one meaning of a rule on related rows.
#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Comment)]
pub struct CommentView {
    #[visible]
    pub id: i64,
    /// Two relations away.
    #[visible_if(exists(row.post, |post| exists(post.author, |author| author.id == viewer.id)))]
    pub text: Field<String>,
    /// The author is there and is not banned.
    #[visible_if(exists(row.author, |author| !author.banned))]
    pub reported: Field<Option<bool>>,
    /// The opposite of a condition on an author who may be missing.
    #[visible_if(!exists(row.author, |author| author.banned))]
    pub author_id: Field<Option<i64>>,
    /// Every comment of the same post is by somebody known.
    #[visible_if(exists(row.post, |post| all(post.comments, |comment| comment.author_id.is_some())))]
    pub post_id: Field<i64>,
}

pub const SCHEMA: &str = "
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, team TEXT, banned BOOLEAN NOT NULL);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL, topic KEYTEXT8 COLLATE NOCASE, author_id INTEGER);
    CREATE TABLE comments (
        id INTEGER PRIMARY KEY, post_id INTEGER NOT NULL, author_id INTEGER, text TEXT NOT NULL, reported BOOLEAN
    );
    CREATE TABLE grants (id INTEGER PRIMARY KEY, topic KEYTEXT8 COLLATE NOCASE, reader INTEGER NOT NULL);
";

pub fn reader(id: i64, team: Option<&str>) -> Reader {
    Reader {
        id,
        team: team.map(Into::into),
    }
}

pub fn account(id: i64, team: Option<&str>) -> Account {
    Account {
        id,
        name: format!("account{id}"),
        team: team.map(Into::into),
        banned: false,
    }
}

pub fn post(id: i64, author_id: Option<i64>, topic: Option<&str>) -> Post {
    Post {
        id,
        title: format!("post{id}"),
        topic: topic.map(Into::into),
        author_id,
    }
}

pub fn comment(id: i64, post_id: i64, author_id: Option<i64>, reported: Option<bool>) -> Comment {
    Comment {
        id,
        post_id,
        author_id,
        text: format!("comment{id}"),
        reported,
    }
}

/// Posts 1 and 2 are by the red team, 3 by the blue one, 4 by nobody, 5 by somebody who is gone.
pub async fn blog() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    for account in [
        account(1, Some("red")),
        account(2, Some("blue")),
        account(3, None),
        Account {
            banned: true,
            ..account(4, Some("red"))
        },
    ] {
        writer.insert(account).await.unwrap();
    }
    for post in [
        post(1, Some(1), Some("cats")),
        post(2, Some(4), None),
        post(3, Some(2), Some("cats")),
        post(4, None, Some("dogs")),
        post(5, Some(99), None),
    ] {
        writer.insert(post).await.unwrap();
    }
    for comment in [
        comment(1, 1, Some(1), Some(false)),
        comment(2, 1, Some(4), Some(false)),
        comment(3, 3, None, Some(false)),
        comment(4, 3, Some(99), Some(false)),
        comment(5, 2, Some(3), Some(false)),
    ] {
        writer.insert(comment).await.unwrap();
    }
    for (id, topic, reader) in [
        (1, Some("dogs"), 7),
        (2, None, 7),
        (3, Some("dogs"), 7),
        (4, Some("Cats"), 7),
    ] {
        let grant = Grant {
            id,
            topic: topic.map(Into::into),
            reader,
        };
        writer.insert(grant).await.unwrap();
    }
    directory
}
