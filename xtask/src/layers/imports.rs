//! The imports of each file of `src/`: which other files it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};

use crate::Failure;
use crate::command::{files, read};

/// A path from the root of the crate, as `["session", "cookie", "Cookie"]`.
type Segments = Vec<String>;

/// The files of a source tree by their modules, as `session::cookie`, with what each names.
pub(super) struct Modules(BTreeMap<String, Module>);

#[derive(Default)]
struct Module {
    named: Vec<Segments>,
    /// The paths that it re-exports, by name.
    passed_on: BTreeMap<String, Segments>,
}

impl Modules {
    pub(super) fn read(source: &Path) -> Result<Self, Failure> {
        let mut modules = BTreeMap::new();
        for path in files(source, "rs")? {
            let name = path.strip_prefix(source).unwrap_or(&path);
            let at = segments_of(name);
            if at.is_empty() {
                continue;
            }
            let file = syn::parse_file(&read(&path)?)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let mut reading = Reading {
                at: at.clone(),
                module: Module::default(),
            };
            reading.visit_file(&file);
            modules.insert(at.join("::"), reading.module);
        }
        Ok(Self(modules))
    }

    /// Returns each file with the files that it uses, apart from those below it: a room names its own files to
    /// declare them.
    pub(super) fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let uses = self.0.iter().map(|(name, module)| {
            let below = format!("{name}::");
            let used = module.named.iter().filter_map(|path| self.file(path, 0));
            let used = used.filter(|used| used != name && !used.starts_with(&below));
            (name.as_str(), used.collect())
        });
        uses.collect()
    }

    /// Returns the file that a path leads to, through those that pass it on.
    fn file(&self, path: &[String], passed: usize) -> Option<&str> {
        /// More than any path here, and a bound where two pass on each other.
        const MOST: usize = 8;

        let lengths = (1..=path.len()).rev();
        let mut known = lengths.filter_map(|length| {
            let name = path.get(..length)?.join("::");
            Some((self.0.get_key_value(&name)?, length))
        });
        let ((name, module), length) = known.next()?;
        let further = path
            .get(length)
            .and_then(|name| module.passed_on.get(name))
            .filter(|_| passed < MOST)
            .and_then(|further| self.file(further, passed + 1));
        Some(further.unwrap_or(name))
    }
}

/// Returns the module of a file; none for the root of the crate.
fn segments_of(name: &Path) -> Segments {
    let parts = name.with_extension("");
    let parts = parts.iter().map(|part| part.to_string_lossy().into_owned());
    let mut parts: Segments = parts.collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts.retain(|part| part != "lib");
    parts
}

struct Reading {
    at: Segments,
    module: Module,
}

impl Reading {
    /// Returns a path as one from the root. One that leads out of the crate seems to lead to this file itself.
    fn absolute(&self, path: &[String]) -> Segments {
        if let [first, rest @ ..] = path
            && first == "crate"
        {
            return rest.to_vec();
        }
        let mut base = self.at.clone();
        let mut rest = path;
        while let [first, more @ ..] = rest
            && (first == "self" || first == "super")
        {
            if first == "super" {
                base.pop();
            }
            rest = more;
        }
        base.extend_from_slice(rest);
        base
    }

    fn tree(&mut self, prefix: &[String], tree: &syn::UseTree, passes_on: bool) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree, passes_on),
            syn::UseTree::Name(name) => self.name(with(&name.ident), Some(&name.ident), passes_on),
            syn::UseTree::Rename(name) => {
                self.name(with(&name.ident), Some(&name.rename), passes_on)
            }
            syn::UseTree::Glob(_) => self.name(prefix.to_vec(), None, passes_on),
            syn::UseTree::Group(group) => {
                for item in &group.items {
                    self.tree(prefix, item, passes_on);
                }
            }
        }
    }

    fn name(&mut self, path: Segments, name: Option<&syn::Ident>, passes_on: bool) {
        let path = self.absolute(&path);
        if let (true, Some(name)) = (passes_on, name) {
            self.module.passed_on.insert(name.to_string(), path.clone());
        }
        self.module.named.push(path);
    }
}

impl<'ast> Visit<'ast> for Reading {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let passes_on = !matches!(item.vis, syn::Visibility::Inherited);
        let named = self.module.named.len();
        self.tree(&[], &item.tree, passes_on);
        // A path that users may name is no use of what stands there.
        if matches!(item.vis, syn::Visibility::Public(_)) {
            self.module.named.truncate(named);
        }
    }

    /// A path in a signature or an expression.
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        let segments: Segments = segments.map(|part| part.ident.to_string()).collect();
        self.name(segments, None, false);
        visit::visit_path(self, path);
    }

    /// Tests may use whatever they like.
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::command::root;

    #[test]
    fn a_file_uses_what_its_paths_lead_to() {
        let source = root().join("target/xtask/imports");
        let write = |name: &str, text: &str| {
            let path = source.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("lib.rs", "mod a;\nmod b;\n");
        write(
            "a/mod.rs",
            "mod c;\nmod d;\npub(crate) use c::{C, E as F};\n",
        );
        write(
            "a/c.rs",
            "use std::fmt;\nuse super::{F, d::D};\n// crate::b::B\n",
        );
        write(
            "a/d.rs",
            "fn f(_: crate::b::B) {}\n#[cfg(test)]\nmod tests {\n    use crate::a::C;\n}\n",
        );
        write("b.rs", "use crate::a::{self, C};\n");

        let modules = Modules::read(&source).unwrap();

        let expected = [
            ("a", vec![]),
            ("a::c", vec!["a::d"]),
            ("a::d", vec!["b"]),
            ("b", vec!["a", "a::c"]),
        ];
        let expected = expected.map(|(file, used)| (file, used.into_iter().collect()));
        assert_eq!(modules.uses(), BTreeMap::from(expected));
    }
}
