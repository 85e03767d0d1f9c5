//! Finds the component that answers a path. A route may be exact, or have `:name` segments or a
//! trailing `/...`; the most specific route wins.

use std::collections::BTreeMap;

use wasmtime::{Result, ensure};

/// A route of the manifest, and its component.
#[derive(Debug)]
pub struct Route {
    /// As written in the manifest.
    pub raw: String,
    pub component: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    // The order of the variants is their precedence at one place of the path.
    Exact(String),
    Named(String),
    Rest,
}

/// How a path matches a route.
pub struct Match<'a> {
    pub route: &'a Route,
    /// The part of the path that the trailing wildcard matched, with its leading slash; empty
    /// without a wildcard.
    pub path_info: String,
    pub named: Vec<(&'a str, &'a str)>,
}

impl Route {
    /// # Errors
    ///
    /// When `...` is not at the end, or a `:` has no name.
    pub fn new(raw: &str, component: &str) -> Result<Self> {
        let mut segments = Vec::new();
        let parts: Vec<&str> = parts(raw).collect();
        for (index, part) in parts.iter().enumerate() {
            segments.push(match part.strip_prefix(':') {
                Some(name) => {
                    ensure!(!name.is_empty(), "route {raw:?}: a `:` must be followed by a name");
                    Segment::Named(name.to_owned())
                }
                None if *part == "..." || *part == "*" => {
                    ensure!(
                        index + 1 == parts.len(),
                        "route {raw:?}: a wildcard must be at the end"
                    );
                    Segment::Rest
                }
                None => Segment::Exact((*part).to_owned()),
            });
        }
        Ok(Self { raw: raw.to_owned(), component: component.to_owned(), segments })
    }

    /// With a leading slash and without a trailing one.
    pub fn path(&self) -> String {
        let path =
            if self.raw.starts_with('/') { self.raw.clone() } else { format!("/{}", self.raw) };
        path.strip_suffix('/').map_or(path.clone(), str::to_owned)
    }

    /// As written, without the wildcard.
    pub fn prefix(&self) -> &str {
        self.raw.strip_suffix("/...").unwrap_or(&self.raw)
    }

    fn matches<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        let mut named = Vec::new();
        let mut rest = parts(path);
        for segment in &self.segments {
            match segment {
                Segment::Exact(text) => (rest.next()? == text).then_some(())?,
                Segment::Named(name) => named.push((name.as_str(), rest.next()?)),
                Segment::Rest => {
                    let tail: Vec<&str> = rest.collect();
                    let path_info = match (tail.is_empty(), path.ends_with('/')) {
                        (true, false) => String::new(),
                        (true, true) => "/".to_owned(),
                        (false, false) => format!("/{}", tail.join("/")),
                        (false, true) => format!("/{}/", tail.join("/")),
                    };
                    return Some(Match { route: self, path_info, named });
                }
            }
        }
        rest.next().is_none().then_some(Match { route: self, path_info: String::new(), named })
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    let trimmed = path.trim_matches('/');
    trimmed.split('/').filter(move |_| !trimmed.is_empty())
}

/// All routes, most specific first.
pub struct Router(Vec<Route>);

impl Router {
    /// Of equal routes the last one wins, as in Spin. Returns the others as well.
    pub fn new(routes: Vec<Route>) -> (Self, Vec<Route>) {
        let mut kept = BTreeMap::new();
        let replaced = routes
            .into_iter()
            .filter_map(|route| kept.insert(route.segments.clone(), route))
            .collect();
        (Self(kept.into_values().collect()), replaced)
    }

    pub fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        self.0.iter().find_map(|route| route.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[&str]) -> Router {
        Router::new(routes.iter().map(|raw| Route::new(raw, raw).expect("valid")).collect()).0
    }

    #[test]
    fn the_most_specific_route_wins() {
        let router =
            router(&["/...", "/feed/...", "/feed/:channel", "/feed/about", "/feed/:channel/x/..."]);
        let component =
            |path: &'static str| router.find(path).expect("a match").route.component.clone();
        assert_eq!(component("/"), "/...");
        assert_eq!(component("/other"), "/...");
        assert_eq!(component("/feed"), "/feed/...");
        assert_eq!(component("/feed/about"), "/feed/about");
        assert_eq!(component("/feed/a"), "/feed/:channel");
        assert_eq!(component("/feed/a/b"), "/feed/...");
        assert_eq!(component("/feed/a/x/y"), "/feed/:channel/x/...");
    }

    #[test]
    fn a_wildcard_gives_its_tail_with_slashes() {
        let router = router(&["/feed/..."]);
        let tail = |path: &'static str| router.find(path).expect("a match").path_info;
        assert_eq!((tail("/feed"), tail("/feed/")), (String::new(), "/".to_owned()));
        assert_eq!((tail("/feed/a/b"), tail("/feed/a/")), ("/a/b".to_owned(), "/a/".to_owned()));
    }

    #[test]
    fn named_segments_are_captured() {
        let router = router(&["/users/:id/posts"]);
        assert_eq!(router.find("/users/7/posts").expect("a match").named, [("id", "7")]);
        assert!(router.find("/users/7").is_none());
    }

    #[test]
    fn the_later_of_two_equal_routes_wins() {
        let (router, replaced) = Router::new(vec![
            Route::new("/a", "one").expect("valid"),
            Route::new("/a", "two").expect("valid"),
        ]);
        assert_eq!(router.find("/a").expect("a match").route.component, "two");
        assert_eq!(replaced[0].component, "one");
    }
}
