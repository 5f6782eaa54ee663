//! SQLite lets one connection write at a time: writers take turns, so that nobody who goes on writing holds off
//! others.

use std::cell::RefCell;

use clearance::{Access, Db, System};
use futures_util::future::{join, join_all};

use crate::races::{notes, rewrite};
use crate::support::system;

/// Writes once, in a transaction or without one.
async fn write(db: &Db, access: &Access<System>, number: usize) {
    let text = number.to_string();
    if number.is_multiple_of(2) {
        rewrite(db, access, 1, &text).await.unwrap();
    } else {
        let transaction = db.begin(access).await.unwrap();
        rewrite(&transaction.db(), access, 1, &text).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn av_48_writers_write_in_the_order_in_which_they_came_on_sqlite() {
    const WRITERS: usize = 24;

    let directory = notes().await;
    let access = system();
    let first = directory.db.begin(&access).await.unwrap();
    rewrite(&first.db(), &access, 1, "first").await.unwrap();
    let done = RefCell::new(Vec::new());
    let writers = (0..WRITERS).map(|number| {
        let (db, access, done) = (&directory.db, &access, &done);
        async move {
            write(db, access, number).await;
            done.borrow_mut().push(number);
        }
    });
    let release = async {
        // All of them wait for it by now; nobody has written.
        tokio::task::yield_now().await;
        assert!(done.borrow().is_empty());
        first.commit().await.unwrap();
    };
    join(join_all(writers), release).await;
    assert_eq!(done.into_inner(), Vec::from_iter(0..WRITERS));
}
