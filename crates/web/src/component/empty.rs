use maud::{Markup, html};

/// The picture of an empty state.
#[derive(Debug, Clone, Copy)]
pub enum Picture {
    /// An envelope.
    Letter,
    /// People.
    People,
    /// A list.
    List,
    /// A tag.
    Tag,
    /// A house.
    House,
}

/// Where there is nothing yet: what will stand here, and the button that makes the first one.
pub fn empty(picture: Picture, title: &str, text: &str, action: &Markup) -> Markup {
    html! {
        div class="empty" {
            svg viewBox="0 0 32 32" aria-hidden="true" {
                @match picture {
                    Picture::Letter => { path d="M4 6h3v4h4V6h3v4h4V6h3v4h4V6h3v20H4zM4 11l12 9 12-9" {} }
                    Picture::People => { circle cx="12" cy="11" r="4.5" {} path d="M3.5 26c0-5 4-8 8.5-8s8.5 3 8.5 8zM20 7a4.5 4.5 0 0 1 0 8.5M23 18.5c3.5 1 5.5 4 5.5 7.5h-4" {} }
                    Picture::List => { path d="M5 8h3M5 16h3M5 24h3M12 8h15M12 16h15M12 24h15" {} }
                    Picture::Tag => { path d="M5 6h10l12 12-9 9L5 15z" {} circle cx="11" cy="12" r="2" {} }
                    Picture::House => { path d="M5 27V9h4v4h5V9h4v4h5V9h4v18zM13 27v-7a3 3 0 0 1 6 0v7" {} }
                }
            }
            h2 { (title) }
            p { (text) }
            div class="page-actions" { (action) }
        }
    }
}
