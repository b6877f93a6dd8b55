//! The files that the browser is given: compiled in, under addresses that change with their content.
//!
//! Adding one: a line in `TABLE`; its address is [`url`]`("name")`.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::access::Routes;

struct Source {
    name: &'static str,
    kind: &'static str,
    body: &'static [u8],
}

const TABLE: &[Source] = &[
    Source { name: "letterkeep.css", kind: "text/css; charset=utf-8", body: CSS.as_bytes() },
    Source {
        name: "letterkeep.js",
        kind: "text/javascript; charset=utf-8",
        body: include_bytes!("../../../assets/js/letterkeep.js"),
    },
    Source {
        name: "htmx.js",
        kind: "text/javascript; charset=utf-8",
        body: include_bytes!("../../../assets/vendor/htmx-4.0.1.min.js"),
    },
    Source { name: "mark.svg", kind: "image/svg+xml", body: include_bytes!("../../../assets/icons/mark.svg") },
    Source {
        name: "serif-600.woff2",
        kind: "font/woff2",
        body: include_bytes!("../../../assets/fonts/source-serif-4-latin-600-normal.woff2"),
    },
    Source {
        name: "serif-600-ext.woff2",
        kind: "font/woff2",
        body: include_bytes!("../../../assets/fonts/source-serif-4-latin-ext-600-normal.woff2"),
    },
];

/// One style sheet: `reset.css` declares the order of the layers, so it comes first.
const CSS: &str = concat!(
    include_str!("../../../assets/css/reset.css"),
    include_str!("../../../assets/css/tokens.css"),
    include_str!("../../../assets/css/base.css"),
    include_str!("../../../assets/css/shell.css"),
    include_str!("../../../assets/css/components.css"),
    include_str!("../../../assets/css/campaigns.css"),
    include_str!("../../../assets/css/utilities.css"),
);

struct Asset {
    name: &'static str,
    kind: &'static str,
    body: Vec<u8>,
    url: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut assets: Vec<Asset> = Vec::with_capacity(TABLE.len());
    // The style sheet names the fonts' addresses, so it comes last.
    for source in TABLE.iter().rev() {
        let body = if source.name == "letterkeep.css" {
            let address = |name: &str| assets.iter().find(|asset| asset.name == name).map_or("", |asset| &asset.url);
            CSS.replace("{serif-600}", address("serif-600.woff2"))
                .replace("{serif-600-ext}", address("serif-600-ext.woff2"))
                .into_bytes()
        } else {
            source.body.to_vec()
        };
        let url = format!("/assets/{}/{}", digest(&body), source.name);
        assets.push(Asset { name: source.name, kind: source.kind, body, url });
    }
    assets
});

/// Eighty bits of SHA-256 name a version of a file.
fn digest(body: &[u8]) -> String {
    use std::fmt::Write as _;
    letterkeep_vault::sha256(body)[..10].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The address of an asset; empty for a name that is not in the table (a test asks for each).
pub fn url(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| &asset.url)
}

pub(crate) fn routes() -> Routes {
    let reason = "style, scripts and fonts of public pages";
    Routes::new().public(&Method::GET, "/assets/{digest}/{name}", reason, serve).public(
        &Method::GET,
        "/favicon.ico",
        reason,
        favicon,
    )
}

/// Answers `/assets/{digest}/{name}`. An address of another version is answered too, but not kept.
pub(crate) async fn serve(Path((digest, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let current = asset.url.split('/').nth(2) == Some(&digest);
    let caching = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = asset.url.split('/').nth(2).map(|digest| format!("\"{digest}\"")).unwrap_or_default();
    let fresh = headers.get(header::IF_NONE_MATCH).is_some_and(|have| have.as_bytes() == tag.as_bytes());
    let body = if fresh { Vec::new() } else { asset.body.clone() };
    let status = if fresh { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = (
        status,
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        ],
        body,
    )
        .into_response();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The icon that browsers ask for without being told.
pub(crate) async fn favicon() -> Response {
    serve(Path((String::new(), "mark.svg".to_owned())), HeaderMap::new()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_distinct_and_the_style_sheet_knows_the_fonts() {
        for source in TABLE {
            assert!(url(source.name).ends_with(source.name), "{}", source.name);
        }
        let css = ASSETS.iter().find(|asset| asset.name == "letterkeep.css").unwrap();
        let text = String::from_utf8(css.body.clone()).unwrap();
        assert!(text.contains(url("serif-600.woff2")) && text.contains(url("serif-600-ext.woff2")));
        assert!(!text.contains("{serif"));
        let fonts = TABLE.iter().filter(|source| source.kind == "font/woff2");
        let sizes = fonts.map(|source| source.body.len()).sum::<usize>();
        assert!(sizes <= 40_000, "the fonts have {sizes} bytes");
        assert!(text.trim_start().starts_with("@layer reset, tokens, base, components, utilities;"));
    }

    /// WCAG 2.2 contrast of every text and ground that meet, in both schemes.
    #[test]
    fn tokens_have_enough_contrast() {
        let grounds = ["paper", "surface", "raised"];
        let mut pairs = vec![("on-wax", "wax", 4.5), ("on-wax", "wax-strong", 4.5)];
        for ground in grounds {
            for ink in ["ink", "quiet", "link", "wax", "green", "amber", "red", "grey"] {
                pairs.push((ink, ground, 4.5));
            }
            // Edges of fields and charts: 3:1 (WCAG 1.4.11).
            for edge in ["edge", "chart-1", "chart-2", "focus"] {
                pairs.push((edge, ground, 3.0));
            }
        }
        for hue in ["green", "amber", "red", "grey"] {
            pairs.push((hue, Box::leak(format!("{hue}-ground").into_boxed_str()), 4.5));
        }
        for ground in ["amber-ground", "red-ground"] {
            pairs.extend([("ink", ground, 4.5), ("link", ground, 4.5)]);
        }
        let low: Vec<String> = pairs
            .into_iter()
            .flat_map(|(ink, ground, least)| (0..2).map(move |scheme| (ink, ground, least, scheme)))
            .filter_map(|(ink, ground, least, scheme)| {
                let have = contrast(token(ink)[scheme], token(ground)[scheme]);
                (have < least).then(|| format!("{ink} on {ground}, scheme {scheme}: {have:.2} < {least}"))
            })
            .collect();
        assert!(low.is_empty(), "{low:#?}");
        assert!(contrast([0x77; 3], [0xff; 3]) < 4.5, "the measure itself tells #777 on white apart");
    }

    fn token(name: &str) -> [[u8; 3]; 2] {
        let line = CSS.lines().find(|line| line.trim().starts_with(&format!("--{name}:"))).expect(name);
        let mut colours = line
            .split('#')
            .skip(1)
            .map(|text| [0, 2, 4].map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("six digits")));
        [colours.next().unwrap(), colours.next().unwrap()]
    }

    fn contrast(one: [u8; 3], two: [u8; 3]) -> f64 {
        let luminance = |colour: [u8; 3]| {
            let linear = colour.map(|channel| {
                let value = f64::from(channel) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        let (one, two) = (luminance(one), luminance(two));
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }
}
