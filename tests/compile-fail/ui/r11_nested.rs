//! A nested DTO shows the rows that its relation leads to, in a type that can hold them.

use clearance::{Dto, Entity, Field, Viewer};

#[derive(Viewer)]
struct Member {
    id: i64,
}

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, rows = open, reason = "a test")]
#[entity(has_many(comments: Comment, by = post_id), belongs_to(author: User, by = author_id))]
struct Post {
    #[entity(key)]
    id: i64,
    author_id: i64,
}

#[derive(Entity)]
#[entity(table = "comments", viewer = Member, rows = open, reason = "a test")]
struct Comment {
    #[entity(key)]
    id: i64,
    post_id: i64,
}

#[derive(Entity)]
#[entity(table = "users", viewer = Member, rows = open, reason = "a test")]
struct User {
    #[entity(key)]
    id: i64,
}

#[derive(Dto)]
#[dto(entity = Comment, default = visible)]
struct CommentView {
    id: i64,
}

#[derive(Dto)]
#[dto(entity = Post, default = visible)]
struct OneOfMany {
    #[dto(related)]
    comments: Option<CommentView>,
}

#[derive(Dto)]
#[dto(entity = Post, default = visible)]
struct AnotherEntity {
    #[dto(related)]
    author: Option<CommentView>,
}

#[derive(Dto)]
#[dto(entity = Post, default = visible)]
struct RawEntity {
    #[dto(related)]
    comments: Vec<Comment>,
}

#[derive(Dto)]
#[dto(entity = Post, default = visible)]
struct UnknownRelation {
    #[dto(related = replies)]
    comments: Field<Vec<CommentView>>,
}

fn main() {}
