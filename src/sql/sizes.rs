//! Padding of lists in statements, so that clients do not choose the number of texts.
//!
//! A server keeps each text prepared for each connection, and has room for a number of all clients together
//! (`max_prepared_stmt_count` of MariaDB is 16,382). Lists therefore have few sizes: they are padded to the
//! next one with copies of their last part, which does not change their meaning (decision 68).

/// The maximum number of parts of a condition that are not padded: mostly the program's own.
const FEW: usize = 8;

/// Pads to the next power of two with copies of the last one.
pub(crate) fn filled<T: Clone>(mut values: Vec<T>) -> Vec<T> {
    let size = values.len().checked_next_power_of_two();
    if let (Some(size), Some(last)) = (size, values.last().cloned()) {
        values.resize(size, last);
    }
    values
}

/// Pads conditions that are joined, if they are more than a few: each copy may be evaluated for every row.
pub(super) fn filled_if_many<T: Clone>(conditions: Vec<T>) -> Vec<T> {
    if conditions.len() <= FEW {
        conditions
    } else {
        filled(conditions)
    }
}

/// Returns how many of these rows one statement inserts, if it takes `most`: a row cannot be repeated as
/// padding, so their number is cut to its first decimal digit (decision 68). Callers choose round numbers
/// for their batches, and each of these is one statement.
pub(crate) const fn inserted_at_once(rows: usize, most: usize) -> usize {
    let most = if rows < most { rows } else { most };
    match most.checked_ilog10() {
        Some(digits) => {
            let unit = 10_usize.pow(digits);
            most / unit * unit
        }
        None => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn av_42_a_list_is_filled_up_to_the_next_size() {
        assert_eq!(filled::<u8>(Vec::new()), [0; 0]);
        for (list, size) in [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (1_000, 1_024)] {
            let filled = filled((0..list).collect());
            assert_eq!(filled.len(), size);
            assert!(filled.iter().copied().take(list).eq(0..list));
            assert!(filled.iter().skip(list).all(|last| *last == list - 1));
        }
        assert_eq!(filled_if_many((0..7).collect()).len(), 7);
        assert_eq!(filled_if_many((0..9).collect()).len(), 16);
    }

    #[test]
    fn av_42_rows_are_inserted_in_few_sizes_and_all_of_them() {
        for (rows, most, size) in [
            (1, 99, 1),
            (7, 99, 7),
            (9, 99, 9),
            (11, 99, 10),
            (99, 99, 90),
            (99, 70, 70),
            (1_000, 7_500, 1_000),
            (9_000, 7_500, 7_000),
            (3, 1, 1),
            (0, 1, 0),
        ] {
            assert_eq!(inserted_at_once(rows, most), size, "{rows} {most}");
        }
        let mut sizes = std::collections::BTreeSet::new();
        for rows in 1..3_000 {
            let (mut left, mut statements) = (rows, 0);
            while left > 0 {
                let size = inserted_at_once(left, 1_000);
                sizes.insert(size);
                left -= size;
                statements += 1;
            }
            assert!(statements <= rows / 1_000 + 3, "{rows} {statements}");
        }
        assert_eq!(sizes.len(), 28, "{sizes:?}");
    }
}
