use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

/// Empty squares around the symbol (ISO/IEC 18004 asks for four).
const QUIET: usize = 4;

/// A QR code as an SVG element: dark on light in every colour scheme, because not every scanner reads the
/// inverse; no inline style, so that a strict content security policy holds. Size and accessible name are
/// the page's. `None` if the text is longer than a symbol holds (2,331 bytes).
pub fn qr_svg(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let side = code.width() + 2 * QUIET;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" class="qr" viewBox="0 0 {side} {side}" shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"/><path fill="#000" d=""##
    );
    for (row, squares) in code.to_colors().chunks(code.width()).enumerate() {
        let mut column = 0;
        for run in squares.chunk_by(|left, right| left == right) {
            if run[0] == Color::Dark {
                let (x, y, length) = (column + QUIET, row + QUIET, run.len());
                write!(svg, "M{x} {y}h{length}v1h-{length}z").expect("writing to a string does not fail");
            }
            column += run.len();
        }
    }
    svg.push_str("\"/></svg>");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paints the path again and compares it with the symbol, square by square.
    #[test]
    fn the_path_paints_exactly_the_dark_squares() {
        let text = "otpauth://totp/Letterkeep:erika?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Letterkeep";
        let svg = qr_svg(text).unwrap();
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        let mut painted = vec![false; code.width() * code.width()];
        let path = svg.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        for run in path.split('M').skip(1) {
            let (place, rest) = run.split_once('h').unwrap();
            let (x, y) = place.split_once(' ').unwrap();
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            let length: usize = rest.split('v').next().unwrap().parse().unwrap();
            for column in x..x + length {
                painted[(y - QUIET) * code.width() + column - QUIET] = true;
            }
        }
        let wanted = code.to_colors().iter().map(|color| *color == Color::Dark).collect::<Vec<_>>();
        assert!(painted == wanted);
    }

    #[test]
    fn has_one_path_and_no_style() {
        let svg = qr_svg("<script>&\"").unwrap();
        assert_eq!(svg.matches("<path").count(), 1);
        assert!(!svg.contains("style") && !svg.contains("script"), "{svg}");
    }

    #[test]
    fn a_text_that_does_not_fit_has_none() {
        assert!(qr_svg(&"x".repeat(2_331)).is_some());
        assert!(qr_svg(&"x".repeat(2_332)).is_none());
    }
}
