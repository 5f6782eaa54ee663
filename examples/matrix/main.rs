//! A program that keeps its access matrix under review.
//!
//! `cargo run --example matrix` prints the matrix as markdown;
//! `-- --html > access-matrix.html` writes the page instead. `access-matrix.md` and
//! `access-matrix.json` beside this file are the reviewed ones. The test of the examples compares
//! with them, and `CLEARANCE_MATRIX=write cargo test --test examples` writes them anew.

mod journal;

use clearance::Result;
use clearance_matrix::{Matrix, MatrixBuilder};
#[cfg(test)]
use clearance_matrix::{Review, review};

use journal::{APP, Member, Role};

/// One sample viewer for each class that the rules tell apart.
struct Cast {
    editor: Member,
    author: Member,
    reader: Member,
}

impl Cast {
    fn new() -> Self {
        let member = |id, role, desk: Option<&str>| Member {
            id,
            role,
            desk: desk.map(str::to_owned),
        };
        Self {
            editor: member(1, Role::Editor, Some("culture")),
            author: member(2, Role::Author, Some("science")),
            reader: member(3, Role::Reader, None),
        }
    }

    fn matrix(&self) -> MatrixBuilder<'_, Member> {
        Matrix::of(&APP)
            .viewer("editor", &self.editor)
            .viewer("author", &self.author)
            .viewer("reader", &self.reader)
    }

    /// The check that a test of the application runs.
    #[cfg(test)]
    fn review(&self) -> Review<'_, Member> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/matrix");
        review(&APP, self.matrix())
            .source(folder)
            .file(format!("{folder}/access-matrix.md"))
            .file(format!("{folder}/access-matrix.json"))
    }
}

fn main() -> Result<()> {
    let cast = Cast::new();
    let matrix = cast.matrix().build()?;
    if std::env::args().any(|argument| argument == "--html") {
        println!("{}", matrix.to_html());
    } else {
        println!("{}", matrix.to_markdown());
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod check {
    use super::Cast;

    pub(crate) fn matrix_is_the_reviewed_one() -> Result<(), clearance_matrix::Unreviewed> {
        Cast::new().review().check().map(drop)
    }
}
