//! Counts, sums and groups tell of visible cells only: S5, S6, S7, S9.

use clearance::dto::{Aggregate, Aggregates, Grouping};
use clearance::policy::Value;
use clearance::repository::{Group, Select};
use clearance::{Dto, Field, FieldName, Result};

use crate::support::*;

/// Salaries and teams that the editor sees on the own team only.
#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
pub struct Pay {
    pub id: i64,
    pub username: String,
    pub status: Status,
    #[visible_if(rule = same_team_or_admin)]
    pub salary: Field<i64>,
    #[visible_if(rule = same_team_or_admin)]
    pub phone: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin)]
    pub team: Field<Option<String>>,
    #[visible_if(rule = same_team_or_admin)]
    pub published_at: Field<Option<chrono::DateTime<chrono::Utc>>>,
}

const ROWS: fn() -> Aggregate<Pay, u64> = Aggregate::<Pay, _>::rows;

/// Asks twice, so that the text is made once and remembered once.
async fn aggregate<A>(
    directory: &Directory,
    viewer: Member,
    select: Select<Pay>,
    wanted: A,
) -> Result<A::Output>
where
    A: Aggregates<Pay> + Clone,
    A::Output: PartialEq + std::fmt::Debug,
{
    as_viewer(viewer, async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let cold = reader.aggregate(select.clone(), wanted.clone()).await?;
        assert_eq!(reader.aggregate(select, wanted).await?, cold);
        Ok(cold)
    })
    .await
}

async fn groups<A>(
    directory: &Directory,
    viewer: Member,
    select: Select<Pay>,
    by: impl Into<Grouping<Pay>>,
    wanted: A,
) -> Result<Vec<(Vec<Option<Value>>, A::Output)>>
where
    A: Aggregates<Pay> + Clone,
    A::Output: PartialEq + std::fmt::Debug,
{
    let by = by.into();
    as_viewer(viewer, async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let cold = reader
            .groups(select.clone(), by.clone(), wanted.clone())
            .await?;
        assert_eq!(reader.groups(select, by, wanted).await?, cold);
        let plain = |group: Group<A::Output>| {
            let keys = group.keys.into_iter().map(Field::into_visible).collect();
            (keys, group.values)
        };
        Ok(cold.into_iter().map(plain).collect())
    })
    .await
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.into()))
}

/// The editor reads 1 to 5, and sees salaries and phones of 1, 2 and 5. The phone of 5 is null.
#[tokio::test]
async fn s6_sums_are_made_of_visible_cells_and_rows_are_counted_all_the_same() {
    let directory = directory().await;
    let wanted = || {
        (
            ROWS(),
            Pay::SALARY.count(),
            Pay::SALARY.sum(),
            Pay::SALARY.avg(),
        )
    };
    let ask = async |viewer| {
        aggregate(&directory, viewer, Pay::select(), wanted())
            .await
            .unwrap()
    };
    assert_eq!(
        ask(editor()).await,
        (5, 3, Some(8_000), Some(8_000.0 / 3.0))
    );
    assert_eq!(ask(admin()).await, (6, 6, Some(21_000), Some(3_500.0)));
    assert_eq!(ask(stranger()).await, (5, 0, None, None));

    let wanted = || {
        (
            Pay::SALARY.min(),
            Pay::SALARY.max(),
            Pay::PHONE.max(),
            Pay::PHONE.count(),
        )
    };
    let ask = async |viewer| {
        aggregate(&directory, viewer, Pay::select(), wanted())
            .await
            .unwrap()
    };
    let int = Value::Int;
    let phone = |phone: &str| Value::Text(phone.into());
    let of_editor = (int(1_000), int(5_000), phone("+49 30 555002"), 2);
    assert_eq!(ask(editor()).await, of_editor);
    let of_admin = (int(1_000), int(6_000), phone("+49 30 555006"), 5);
    assert_eq!(ask(admin()).await, of_admin);
    assert_eq!(
        ask(stranger()).await,
        (Value::Null, Value::Null, Value::Null, 0)
    );

    let wanted = || {
        (
            Pay::PHONE.count_distinct(),
            Pay::TEAM.count_distinct(),
            Pay::PUBLISHED_AT.min(),
        )
    };
    let ask = async |viewer| {
        aggregate(&directory, viewer, Pay::select(), wanted())
            .await
            .unwrap()
    };
    let first = Value::Timestamp(instant(1).timestamp_micros());
    assert_eq!(ask(editor()).await, (2, 0, first.clone()));
    assert_eq!(ask(admin()).await, (5, 2, first));
}

#[tokio::test]
async fn s6_aggregates_stay_the_same_where_only_hidden_values_differ() {
    let directory = directory().await;
    let wanted = || {
        (
            ROWS(),
            Pay::SALARY.sum(),
            Pay::SALARY.max(),
            Pay::PHONE.count_distinct(),
        )
    };
    let ask = async |viewer| {
        aggregate(&directory, viewer, Pay::select(), wanted())
            .await
            .unwrap()
    };
    let (editors, admins) = (ask(editor()).await, ask(admin()).await);
    execute(
        &directory.pool,
        "UPDATE people SET salary = 1000000, phone = NULL WHERE id IN (3, 4, 6)",
    )
    .await;
    assert_eq!(ask(editor()).await, editors);
    assert_ne!(ask(admin()).await, admins);
}

#[tokio::test]
async fn s6_av_07_a_sum_neither_wraps_nor_saturates_nor_fails() {
    let with = |salaries: &[i64]| {
        let people = salaries.iter().zip(1..).map(|(salary, id)| Person {
            salary: *salary,
            ..person(id, None)
        });
        directory_of(people.collect())
    };
    let sum = |directory: Directory| async move {
        aggregate(&directory, admin(), Pay::select(), Pay::SALARY.sum()).await
    };
    // What fits in the end fits, in whatever order it is summed.
    for (salaries, expected) in [
        (vec![i64::MAX, 1, -2], i128::from(i64::MAX) - 1),
        (vec![i64::MAX, i64::MAX, i64::MIN, i64::MIN], -2),
        (vec![i64::MIN], i64::MIN.into()),
        // Nobody's rows make the sum fail for who reads them.
        (vec![i64::MAX, 1], i128::from(i64::MAX) + 1),
        (vec![i64::MIN, -1], i128::from(i64::MIN) - 1),
        (vec![i64::MAX; 3], i128::from(i64::MAX) * 3),
        (vec![-1, -1], -2),
        (vec![0x1_0000_0000, -1], 0xffff_ffff),
    ] {
        assert_eq!(sum(with(&salaries).await).await.unwrap(), Some(expected));
    }
    let directory = with(&[i64::MAX, i64::MAX]).await;
    let mean = aggregate(&directory, admin(), Pay::select(), Pay::SALARY.avg()).await;
    assert_eq!(mean.unwrap(), Some(9_223_372_036_854_775_807.0));
}

#[tokio::test]
async fn s5_hidden_rows_are_one_group_that_shows_no_value() {
    let directory = directory().await;
    let ask = async |viewer, token: FieldName<Pay>| {
        groups(&directory, viewer, Pay::select(), token, ROWS())
            .await
            .unwrap()
    };
    // By phone: 1 and 2, then the null of 5, then 3 and 4 together.
    assert_eq!(
        ask(editor(), Pay::PHONE.untyped()).await,
        [
            (vec![text("+49 30 555001")], 1),
            (vec![text("+49 30 555002")], 1),
            (vec![Some(Value::Null)], 1),
            (vec![None], 2),
        ]
    );
    assert_eq!(ask(admin(), Pay::PHONE.untyped()).await.len(), 6);
    assert_eq!(ask(editor(), Pay::TEAM.untyped()).await, [(vec![None], 5)]);
    assert_eq!(
        ask(admin(), Pay::TEAM.untyped()).await,
        [
            (vec![text("blue")], 1),
            (vec![text("red")], 4),
            (vec![Some(Value::Null)], 1),
        ]
    );
    // Which hidden values there are changes nothing.
    let before = ask(editor(), Pay::PHONE.untyped()).await;
    execute(
        &directory.pool,
        "UPDATE people SET phone = '+49 30 555001' WHERE id IN (3, 4)",
    )
    .await;
    assert_eq!(ask(editor(), Pay::PHONE.untyped()).await, before);
    assert_eq!(ask(admin(), Pay::PHONE.untyped()).await.len(), 4);
}

#[tokio::test]
async fn s5_distinct_values_are_visible_ones() {
    let directory = directory().await;
    let ask = async |viewer, limit: u64| {
        as_viewer(viewer, async {
            let access = read().await;
            let query = Pay::select().limit(limit);
            directory
                .db
                .reader(&access)
                .distinct(query, Pay::PHONE)
                .await
                .unwrap()
        })
        .await
    };
    let visible = |phone: &str| Field::Visible(Value::Text(phone.into()));
    assert_eq!(
        ask(editor(), 9).await,
        [
            visible("+49 30 555001"),
            visible("+49 30 555002"),
            Field::Visible(Value::Null),
            Field::Hidden,
        ]
    );
    assert_eq!(ask(editor(), 1).await, [visible("+49 30 555001")]);
    assert_eq!(ask(admin(), 9).await.len(), 6);
}

#[tokio::test]
async fn s7_a_condition_on_an_aggregate_is_asked_of_visible_cells() {
    let directory = directory().await;
    let by = |having| Grouping::by([Pay::STATUS]).having(having);
    let ask = async |viewer, having| {
        groups(&directory, viewer, Pay::select(), by(having), ROWS())
            .await
            .unwrap()
    };
    let all = |count| vec![(vec![text("active")], count)];
    for (having, editors, admins) in [
        // 6,000 is hidden from the editor, who sees 5,000 at most.
        (Pay::SALARY.max().ge(6_000), false, true),
        (Pay::SALARY.max().ge(5_000), true, true),
        (!Pay::SALARY.max().ge(6_000), true, false),
        (Pay::SALARY.sum().eq(8_000), true, false),
        (Pay::SALARY.avg().gt(3_000), false, true),
        (Pay::SALARY.avg().lt(3_000), true, false),
        (Pay::SALARY.count().ne(6), true, false),
        (ROWS().ge(6), false, true),
        (ROWS().ge(5).and(Pay::SALARY.count().le(3)), true, false),
        (ROWS().ge(6).or(Pay::SALARY.count().le(3)), true, true),
        (Pay::PHONE.max().lt("+49 30 555003"), true, false),
        // Of no visible cell nothing is known.
        (Pay::TEAM.max().ge("a"), false, true),
        (!Pay::TEAM.max().ge("a"), false, false),
    ] {
        let expected = |holds, count| if holds { all(count) } else { Vec::new() };
        assert_eq!(ask(editor(), having.clone()).await, expected(editors, 5));
        assert_eq!(ask(admin(), having).await, expected(admins, 6));
    }
}

#[tokio::test]
async fn s7_a_filter_inside_an_aggregate_is_masked_too() {
    let directory = directory().await;
    let wanted = || {
        let inside = |filter| Pay::ID.count().filter(filter);
        (
            inside(Pay::SALARY.ge(3_000)),
            inside(!Pay::SALARY.ge(3_000)),
            inside(Pay::PHONE.is_null()),
            Pay::SALARY.sum().filter(Pay::ID.le(4)),
        )
    };
    let ask = async |viewer| {
        aggregate(&directory, viewer, Pay::select(), wanted())
            .await
            .unwrap()
    };
    assert_eq!(ask(editor()).await, (1, 2, 1, Some(3_000)));
    assert_eq!(ask(admin()).await, (4, 2, 1, Some(10_000)));
}

#[tokio::test]
async fn s7_a_limit_counts_the_groups_that_fulfil_the_condition() {
    let directory = directory().await;
    let by = Grouping::by([Pay::ID]).having(Pay::SALARY.sum().ge(3_000));
    let found = groups(&directory, admin(), Pay::select().limit(2), by, ROWS())
        .await
        .unwrap();
    let keys: Vec<_> = found.into_iter().flat_map(|(keys, _)| keys).collect();
    assert_eq!(keys, [Some(Value::Int(3)), Some(Value::Int(4))]);
}

#[tokio::test]
async fn s5_n13_groups_are_told_apart_by_their_bytes() {
    let names = ["a", "A", "a ", "ä", "a\u{308}", "", "a"];
    let people = names.iter().zip(1..).map(|(name, id)| Person {
        username: (*name).to_owned(),
        ..person(id, None)
    });
    let directory = empty_directory(
        "CREATE TABLE people (
            id INTEGER PRIMARY KEY, slug TEXT, username TEXT COLLATE NOCASE, phone TEXT, email TEXT,
            salary INTEGER, team TEXT, status TEXT, suspended BOOLEAN, published_at INSTANT,
            author INTEGER, password_hash TEXT
        )",
    )
    .await;
    for person in people {
        directory.db.writer(&system()).insert(person).await.unwrap();
    }
    let found = groups(&directory, admin(), Pay::select(), Pay::USERNAME, ROWS())
        .await
        .unwrap();
    let expected = ["", "A", "a", "a ", "a\u{308}", "ä"];
    let keys: Vec<_> = found.iter().flat_map(|(keys, _)| keys.clone()).collect();
    assert_eq!(keys, expected.map(text));
    assert_eq!(found[2].1, 2);
    let wanted = (
        Pay::USERNAME.count_distinct(),
        Pay::USERNAME.min(),
        Pay::USERNAME.max(),
    );
    let found = aggregate(
        &directory,
        admin(),
        Pay::select().filter(Pay::ID.le(5)),
        wanted,
    )
    .await;
    assert_eq!(
        found.unwrap(),
        (5, Value::Text("A".into()), Value::Text("ä".into()))
    );
}

#[tokio::test]
async fn s9_s6_nothing_to_read_is_nothing_to_count() {
    let directory = directory().await;
    let wanted = || (ROWS(), Pay::ID.sum(), Pay::ID.avg(), Pay::ID.min());
    let nothing = (0, None, None, Value::Null);
    let (statements, _guard) = Statements::listen();
    let never = Pay::select().filter(Pay::TEAM.is_not_null());
    assert_eq!(
        aggregate(&directory, editor(), never.clone(), wanted())
            .await
            .unwrap(),
        nothing
    );
    assert_eq!(statements.take(), [""; 0]);
    assert_eq!(
        aggregate(&directory, admin(), never, wanted())
            .await
            .unwrap()
            .0,
        5
    );
    let no_row = Pay::select().filter(Pay::ID.lt(0));
    assert_eq!(
        aggregate(&directory, admin(), no_row.clone(), wanted())
            .await
            .unwrap(),
        nothing
    );
    assert_eq!(
        groups(&directory, admin(), no_row, Pay::ID, wanted())
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn s15_groups_and_aggregates_name_no_hidden_field_in_the_refusing_mode() {
    let directory = directory().await;
    let refusing = || Pay::select().refuse_hidden();
    for viewer in [editor(), admin()] {
        let is_admin = viewer.role == Role::Admin;
        let answers = [
            aggregate(&directory, viewer.clone(), refusing(), Pay::SALARY.sum())
                .await
                .err(),
            aggregate(&directory, viewer.clone(), refusing(), Pay::TEAM.count())
                .await
                .err(),
            groups(&directory, viewer.clone(), refusing(), Pay::PHONE, ())
                .await
                .err(),
            groups(
                &directory,
                viewer.clone(),
                refusing(),
                Grouping::by([Pay::ID]).having(Pay::SALARY.max().gt(1)),
                (),
            )
            .await
            .err(),
            aggregate(
                &directory,
                viewer.clone(),
                refusing(),
                Pay::ID.count().filter(Pay::SALARY.gt(1)),
            )
            .await
            .err(),
        ];
        for answer in answers {
            assert_eq!(answer.is_none(), is_admin);
            assert!(answer.is_none_or(|error| error.is_invalid()));
        }
        aggregate(&directory, viewer, refusing(), (ROWS(), Pay::ID.sum()))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn n11_what_has_no_sum_or_order_is_refused() {
    let directory = directory().await;
    let wrong = aggregate(
        &directory,
        admin(),
        Pay::select(),
        Pay::USERNAME.untyped().sum(),
    )
    .await;
    assert!(wrong.unwrap_err().is_misuse());
    let wrong = aggregate(
        &directory,
        admin(),
        Pay::select(),
        Pay::STATUS.untyped().min(),
    )
    .await;
    assert!(wrong.unwrap_err().is_misuse());
    let named = FieldName::<Pay>::named("username").unwrap();
    let wrong = aggregate(&directory, admin(), Pay::select(), named.sum()).await;
    assert!(wrong.unwrap_err().is_invalid());
    let by = Grouping::by([Pay::ID]).having(Pay::SALARY.sum().ge("x"));
    let wrong = groups(&directory, admin(), Pay::select(), by, ()).await;
    assert!(wrong.unwrap_err().is_misuse());
}
