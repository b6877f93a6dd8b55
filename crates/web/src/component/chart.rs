//! Charts as SVG, each with its figures in a table behind a toggle.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::format;
use crate::text::{Speaks, t};

/// A line of a chart: at most two in one chart.
#[derive(Debug, Clone)]
pub struct Series {
    /// What it counts.
    pub name: String,
    /// One value for each label of the axis.
    pub values: Vec<i64>,
}

/// The ground of a chart in units that are about pixels, so that its words stay readable: one for a wide place and one
/// for a phone; the style sheet shows the one that fits.
struct Ground {
    class: &'static str,
    width: f64,
    height: f64,
    /// Labels below the axis.
    most_labels: usize,
}

const GROUNDS: [Ground; 2] = [
    Ground { class: "chart chart-wide", width: 500.0, height: 240.0, most_labels: 6 },
    Ground { class: "chart chart-narrow", width: 320.0, height: 220.0, most_labels: 3 },
];
const LEFT: f64 = 46.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 28.0;
/// How wide a letter of a label is at most, on average.
const LETTER: f64 = 7.0;

/// Lines over time. `title` names the chart for screen readers, `axis` the first column of the table, `labels` the
/// places on the axis (all stand in the table, some under the chart).
pub fn line_chart(speaks: &impl Speaks, title: &str, axis: &str, labels: &[String], series: &[Series]) -> Markup {
    html! {
        figure class="chart-figure" {
            @for ground in &GROUNDS { (lines(speaks, ground, title, labels, series)) }
            details class="more" {
                summary { (t!(speaks, "chart-table")) }
                div class="table-wrap" {
                    table class="table table-plain" {
                        caption class="visually-hidden" { (title) }
                        thead { tr { th scope="col" { (axis) } @for line in series { th scope="col" class="number" { (line.name) } } } }
                        tbody {
                            @for (place, label) in labels.iter().enumerate() {
                                tr {
                                    th scope="row" { (label) }
                                    @for line in series { td class="number" { (format::whole(speaks, line.values.get(place).copied().unwrap_or(0))) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn lines(speaks: &impl Speaks, ground: &Ground, title: &str, labels: &[String], series: &[Series]) -> Markup {
    let (width, height) = (ground.width, ground.height);
    let most = series.iter().flat_map(|line| &line.values).copied().max().unwrap_or(0);
    let (step, top) = scale(most);
    let (plot_width, plot_height) = (width - LEFT - RIGHT, height - TOP - BOTTOM);
    let x = |place: usize| LEFT + plot_width * place as f64 / (labels.len().max(2) - 1) as f64;
    let y = |value: i64| TOP + plot_height * (1.0 - value as f64 / top as f64);
    let every = every(labels, ground, plot_width);
    html! {
        svg class=(ground.class) viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(title) {
            @for line in (0..=top / step).map(|line| line * step) {
                line class="grid" x1=(LEFT) x2=(width - RIGHT) y1=(round(y(line))) y2=(round(y(line))) {}
                text x=(LEFT - 8.0) y=(round(y(line) + 4.0)) text-anchor="end" { (format::whole(speaks, line)) }
            }
            @for (place, label) in labels.iter().enumerate().filter(|(place, _)| place % every == 0) {
                text x=(round(x(place))) y=(height - 6.0) text-anchor=(anchor(place, labels.len())) { (label) }
            }
            @for (number, line) in series.iter().enumerate().take(2) {
                @let path = smooth(&line.values.iter().enumerate().map(|(place, value)| (x(place), y(*value))).collect::<Vec<_>>());
                @if number == 0 && line.values.len() > 1 {
                    path class="area-1" d={ (path) "L" (round(x(line.values.len() - 1))) " " (round(y(0))) "L" (round(x(0))) " " (round(y(0))) "z" } {}
                }
                path class={ "series-" (number + 1) } d=(path) {}
            }
            @for (number, line) in series.iter().enumerate().take(2) {
                @let (px, py, side) = name_place(line, width, &x, &y);
                text class={ "name-" (number + 1) } x=(round(px)) y=(round(py)) text-anchor=(side) { (line.name) }
            }
        }
    }
}

/// Each how manieth label stands under the axis, so that no label touches the next. The first one begins where it stands
/// and the next one has its middle there: together one and a half times the longest.
fn every(labels: &[String], ground: &Ground, plot_width: f64) -> usize {
    let gaps = labels.len().max(2) - 1;
    let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0) as f64 * LETTER;
    let room = plot_width / gaps as f64;
    let apart = ((1.5 * longest + LETTER) / room).ceil() as usize;
    apart.max(gaps.div_ceil(ground.most_labels.max(2) - 1)).max(1)
}

/// A small bar beside a figure that is written out: part of the largest.
pub fn share_bar(value: i64, most: i64) -> Markup {
    html! { progress class="share" value=(value) max=(most.max(1)) aria-hidden="true" {} }
}

/// The distance of the grid's lines and the value of the highest: at most five lines of a round distance.
fn scale(most: i64) -> (i64, i64) {
    let most = most.max(4);
    let mut unit = 1i64;
    loop {
        for factor in [1, 2, 5] {
            let step = unit * factor;
            if most.div_euclid(step) < 5 {
                return (step, (most + step - 1) / step * step);
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// A curve through the points that never overshoots them: monotone cubic (Fritsch and Carlson 1980).
fn smooth(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let Some((x, y)) = points.first() else { return path };
    let _ = write!(path, "M{} {}", round(*x), round(*y));
    let slopes: Vec<f64> = points.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)).collect();
    let tangent = |place: usize| -> f64 {
        let before = place.checked_sub(1).and_then(|before| slopes.get(before)).copied();
        match (before, slopes.get(place).copied()) {
            (Some(before), Some(after)) if before * after > 0.0 => 2.0 * before * after / (before + after),
            (None, Some(only)) | (Some(only), None) => only,
            _ => 0.0,
        }
    };
    for (place, pair) in points.windows(2).enumerate() {
        let third = (pair[1].0 - pair[0].0) / 3.0;
        let _ = write!(
            path,
            "C{} {} {} {} {} {}",
            round(pair[0].0 + third),
            round(pair[0].1 + third * tangent(place)),
            round(pair[1].0 - third),
            round(pair[1].1 - third * tangent(place + 1)),
            round(pair[1].0),
            round(pair[1].1)
        );
    }
    path
}

/// Beside the highest point, on the side where there is room.
fn name_place(
    line: &Series,
    width: f64,
    x: &impl Fn(usize) -> f64,
    y: &impl Fn(i64) -> f64,
) -> (f64, f64, &'static str) {
    let highest = line.values.iter().enumerate().max_by_key(|(place, value)| (**value, std::cmp::Reverse(*place)));
    let (place, value) = highest.map_or((0, 0), |(place, value)| (place, *value));
    let px = x(place);
    if px > width * 0.6 { (px - 10.0, y(value) - 7.0, "end") } else { (px + 10.0, y(value) - 7.0, "start") }
}

fn anchor(place: usize, labels: usize) -> &'static str {
    if place == 0 {
        "start"
    } else if place + 1 == labels {
        "end"
    } else {
        "middle"
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use letterkeep_model::Locale;

    use super::*;

    #[test]
    fn the_grid_is_round_and_holds_the_most() {
        for (most, step, top) in
            [(0, 1, 4), (4, 1, 4), (9, 2, 10), (612, 200, 800), (1_480, 500, 1_500), (10_000, 5_000, 10_000)]
        {
            assert_eq!(scale(most), (step, top), "{most}");
        }
    }

    #[test]
    fn the_figures_stand_in_the_table() {
        let series = [Series { name: "Opens".into(), values: vec![0, 1_200, 300] }];
        let labels = ["08:00".to_owned(), "09:00".to_owned(), "10:00".to_owned()];
        let markup = line_chart(&Locale::En, "Opens over time", "Hour", &labels, &series).into_string();
        assert!(markup.contains("<td class=\"number\">1,200</td>"), "{markup}");
        assert!(!markup.contains("style="), "{markup}");
        assert!(!markup.contains("NaN") && !markup.contains("inf"), "{markup}");
    }

    #[test]
    fn one_point_or_none_is_no_trouble() {
        for values in [vec![], vec![7]] {
            let labels: Vec<String> = values.iter().map(|_| "x".to_owned()).collect();
            let markup =
                line_chart(&Locale::De, "t", "a", &labels, &[Series { name: "n".into(), values }]).into_string();
            assert!(!markup.contains("NaN") && !markup.contains("inf"), "{markup}");
        }
    }
}
