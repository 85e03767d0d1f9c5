//! A list of origins.

/// Origins of pages, as `https://app.example.com`, in the form in which a browser names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Reads a list with commas. `None` for what is no list of origins: no wildcard and no `null`, which any page can be.
    pub fn parse(text: &str) -> Option<Origins> {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(|origin| {
            let (scheme, host) = origin.split_once("://")?;
            let is_origin = !scheme.is_empty() && !host.is_empty() && !host.contains(['/', '*', '?', '#', '@']);
            is_origin.then(|| origin.to_ascii_lowercase())
        });
        origins.collect::<Option<Vec<_>>>().map(Origins)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an origin is among them.
    pub fn contains(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_whole_origins_only() {
        let origins = Origins::parse("https://a.example, HTTP://localhost:5173,").unwrap();
        assert!(origins.contains("https://a.example") && origins.contains("http://localhost:5173"));
        assert!(!origins.contains("http://a.example") && !origins.contains("https://a.example:444") && !origins.contains("https://b.a.example"));
        assert!(Origins::parse("").unwrap().is_empty());
        for bad in ["*", "https://*", "null", "a.example", "https://a.example/", "https://", "://a", "https://a@b"] {
            assert_eq!(Origins::parse(bad), None, "{bad}");
        }
    }
}
