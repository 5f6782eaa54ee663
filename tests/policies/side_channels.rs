//! Nothing that a caller can ask tells of a hidden value: S rows.

use clearance::dto::Filter;

use crate::support::*;

async fn ids(directory: &Directory, filter: Filter<Profile>) -> Vec<i64> {
    let access = read().await;
    let query = Profile::select().filter(filter).order(Profile::ID.asc());
    let rows = directory.db.reader(&access).all(query).await.unwrap();
    rows.iter().map(|row| row.id).collect()
}

/// The editor is of team red: the phones of 1, 2 and 5 are visible, those of 3 and 4 hidden.
async fn as_editor(filter: Filter<Profile>) -> Vec<i64> {
    let directory = directory().await;
    as_viewer(editor(), ids(&directory, filter)).await
}

async fn as_admin(filter: Filter<Profile>) -> Vec<i64> {
    let directory = directory().await;
    as_viewer(admin(), ids(&directory, filter)).await
}

#[tokio::test]
async fn s1_equality_on_a_hidden_value_finds_nothing() {
    let filter = || Profile::PHONE.eq("+49 30 555003");
    assert_eq!(as_editor(filter()).await, [0; 0]);
    // The permitted viewer shows that the question is not vacuous.
    assert_eq!(as_admin(filter()).await, [3]);
    assert_eq!(as_editor(Profile::PHONE.eq("+49 30 555001")).await, [1]);
}

#[tokio::test]
async fn s2_negations_and_null_tests_find_no_hidden_row() {
    let not = || !Profile::PHONE.eq("+49 30 555001");
    assert_eq!(as_editor(not()).await, [2]);
    assert_eq!(as_admin(not()).await, [2, 3, 4, 6]);
    assert_eq!(as_editor(Profile::PHONE.ne("+49 30 555001")).await, [2]);
    assert_eq!(as_editor(Profile::PHONE.is_null()).await, [5]);
    assert_eq!(as_editor(Profile::PHONE.is_not_null()).await, [1, 2]);
    assert_eq!(as_editor(!Profile::PHONE.is_null()).await, [1, 2]);
    assert_eq!(as_editor(!!Profile::PHONE.is_null()).await, [5]);
    // Neither a condition nor its opposite holds of a hidden field, also inside `or`.
    let either = Profile::PHONE
        .lt("5")
        .or(!Profile::PHONE.lt("5"))
        .or(Profile::PHONE.is_null())
        .or(Profile::PHONE.is_not_null());
    assert_eq!(as_editor(either).await, [1, 2, 5]);
    let neither = !(Profile::PHONE.is_null().and(Profile::ID.gt(0)));
    assert_eq!(as_editor(neither).await, [1, 2]);
}

#[tokio::test]
async fn s2_a_field_that_this_viewer_never_sees_fulfils_no_condition() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    for filter in [
        Profile::SALARY.gt(0),
        !Profile::SALARY.gt(0),
        Profile::SALARY.is_null(),
        Profile::SALARY.is_not_null(),
    ] {
        let found = as_viewer(editor(), ids(&directory, filter)).await;
        assert_eq!(found, [0; 0]);
    }
    // No statement had to run for that.
    assert_eq!(statements.take(), [""; 0]);
    let with_other = Profile::SALARY.gt(0).or(Profile::ID.eq(1));
    let found = as_viewer(editor(), ids(&directory, with_other)).await;
    assert_eq!(found, [1]);
    assert!(!statements.one().contains("salary"));
}

#[tokio::test]
async fn s3_ordering_by_a_hidden_field_tells_nothing_and_drops_nothing() {
    let directory = directory().await;
    let order = async |descending: bool| {
        let access = read().await;
        let order = if descending {
            Profile::PHONE.desc()
        } else {
            Profile::PHONE.asc()
        };
        let rows = directory
            .db
            .reader(&access)
            .all(Profile::select().order(order))
            .await
            .unwrap();
        rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(as_viewer(editor(), order(false)).await, [1, 2, 3, 4, 5]);
    assert_eq!(as_viewer(editor(), order(true)).await, [2, 1, 3, 4, 5]);
    // The permitted viewer sees another order, so the field does decide it.
    assert_eq!(as_viewer(admin(), order(true)).await, [6, 4, 3, 2, 1, 5]);

    // Two databases that differ in hidden phones only give the same order.
    execute(
        &directory.pool,
        "UPDATE people SET phone = 'zzz' WHERE id = 3; UPDATE people SET phone = NULL WHERE id = 4;",
    )
    .await;
    assert_eq!(as_viewer(editor(), order(false)).await, [1, 2, 3, 4, 5]);
    assert_eq!(as_viewer(editor(), order(true)).await, [2, 1, 3, 4, 5]);
}

#[tokio::test]
async fn s3_limit_cuts_by_visible_values_only() {
    let directory = directory().await;
    let first = async || {
        let access = read().await;
        let query = Profile::select().order(Profile::PHONE.desc()).limit(2);
        let rows = directory.db.reader(&access).all(query).await.unwrap();
        rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(as_viewer(editor(), first()).await, [2, 1]);
    assert_eq!(as_viewer(admin(), first()).await, [6, 4]);
}

#[tokio::test]
async fn a_filter_of_another_kind_is_a_misuse() {
    let directory = directory().await;
    let error = as_viewer(admin(), async {
        let access = read().await;
        let query = Profile::select().filter(Profile::USERNAME.untyped().eq(1));
        directory.db.reader(&access).all(query).await
    })
    .await
    .unwrap_err();
    assert!(error.is_misuse(), "{error}");
}
