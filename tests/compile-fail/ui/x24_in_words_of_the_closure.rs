//! What is wrong inside of `exists(..)` is said of the row as it is called there.

use clearance::Entity;
use clearance_compile_fail::{Member, User};

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, belongs_to(author: User, by = author_id))]
#[entity(read_if(exists(row.author, |p| p.suspended == None)))]
#[entity(create_if(all(row.author, |p| p)))]
#[entity(update_if(exists(row.author, |p| p.name.len() > 3)))]
#[entity(updated_if(exists(row.author, |p| p.visits + 1 > 3)))]
#[entity(delete_if(exists(row.author, |p| p.name.unwrap_or_default() == "ada")))]
#[entity(tenant_if(exists(row.author, |p| helper(p))))]
struct Post {
    #[entity(key)]
    id: i64,
    author_id: i64,
}

fn main() {}
