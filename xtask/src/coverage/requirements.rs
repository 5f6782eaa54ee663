//! The rows of `docs/requirements.md`.

use super::id::Id;

/// A behaviour that the library must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    pub(crate) id: Id,
    /// Whether a mutation must show that its test fails without the check.
    pub(crate) mutation: bool,
}

/// Reads every table row `| id | behaviour | tests |` of a page.
///
/// A line that looks like a row but cannot be read is an error, because a row that is skipped
/// is a behaviour that nobody misses.
pub(crate) fn parse(page: &str) -> Result<Vec<Requirement>, String> {
    let mut requirements: Vec<Requirement> = Vec::new();
    for (index, line) in page.lines().enumerate() {
        let line = line.trim();
        if !line.starts_with('|') {
            continue;
        }
        let number = index + 1;
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [first, behaviour, tests] = cells.as_slice() else {
            return Err(format!("line {number}: a row has three cells"));
        };
        let is_rule = first
            .chars()
            .all(|character| matches!(character, '-' | ':'));
        if *first == "id" || is_rule {
            continue;
        }
        let id =
            Id::parse(first).ok_or_else(|| format!("line {number}: `{first}` is not an id"))?;
        if behaviour.is_empty() {
            return Err(format!("line {number}: {id} says no behaviour"));
        }
        let mutation = match *tests {
            "test" => false,
            "test, mutation" => true,
            _ => {
                return Err(format!(
                    "line {number}: the third cell of {id} is `test` or `test, mutation`"
                ));
            }
        };
        if requirements.iter().any(|other| other.id == id) {
            return Err(format!("line {number}: {id} stands twice"));
        }
        requirements.push(Requirement { id, mutation });
    }
    if requirements.is_empty() {
        return Err("there is no row".to_owned());
    }
    Ok(requirements)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# Requirements\n\n| id | behaviour | tests |\n|---|---|---|\n";

    fn page(rows: &str) -> String {
        format!("{HEAD}{rows}")
    }

    #[test]
    fn rows_are_read_from_every_table() {
        let text = page(
            "| SD-04 | a forged cookie | test, mutation |\n\n## More\n\n| id | behaviour | tests |\n|:--|---|--:|\n| R1 | a list | test |\n",
        );
        let rows = parse(&text).unwrap();
        let rows: Vec<(String, bool)> = rows
            .iter()
            .map(|row| (row.id.to_string(), row.mutation))
            .collect();
        assert_eq!(rows, [("SD-04".to_owned(), true), ("R1".to_owned(), false)]);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_an_error() {
        for rows in [
            "",
            "| SD-04 | two cells |\n",
            "| SD-4x | a wrong id | test |\n",
            "| SD-04 | | test |\n",
            "| SD-04 | no such proof | review |\n",
            "| SD-04 | one | test |\n| SD-04 | two | test |\n",
        ] {
            assert!(parse(&page(rows)).is_err(), "{rows}");
        }
    }
}
