//! Paths without detours.

/// Self-references, back-references and doubled slashes are taken out; with `windows`, backslashes become slashes. The
/// walk is that of ModSecurity, one byte at a time with its corner cases, because the lists of CRS are written against it.
pub(super) fn normalize(value: &[u8], windows: bool) -> Vec<u8> {
    let is_slash = |byte: u8| byte == b'/' || (windows && byte == b'\\');
    let (Some(&first), Some(&last)) = (value.first(), value.last()) else { return Vec::new() };
    let end = value.len() - 1;
    let relative = !is_slash(first);
    let trailing = is_slash(last);
    // Of a backslash the walk only ever looks at the one under it and the one after it.
    let path = |at: usize| if is_slash(value[at]) { b'/' } else { value[at] };
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    let mut hit_root = false;
    let mut at = 0;
    while at <= end {
        if !is_slash(value[at]) {
            // Only the last byte of a segment is looked at.
            let behind = &value[at + 1..];
            let last = behind.iter().position(|&byte| is_slash(byte)).map_or(end, |length| at + length);
            out.extend_from_slice(&value[at..last]);
            at = last;
        }
        let done = at == end;
        if done || path(at + 1) == b'/' {
            // The end of a segment.
            if path(at) == b'.' && out.last() == Some(&b'.') {
                if relative && (hit_root || out.len() <= 2) {
                    // Nothing before it to go back to.
                    hit_root = true;
                } else {
                    go_back(&mut out);
                    hit_root |= out.is_empty();
                    if done {
                        break;
                    }
                    at += 1;
                }
            } else if path(at) == b'.' && matches!(out.last(), None | Some(b'/')) {
                if done {
                    break;
                }
                out.pop();
                at += 1;
            } else if path(at) != b'.' && (done || path(at) != b'/') && !out.is_empty() {
                hit_root = false;
            }
        }
        if path(at) == b'/' {
            while at < end && is_slash(value[at + 1]) {
                at += 1;
            }
            if relative && out.is_empty() {
                at += 1;
                continue;
            }
        }
        out.push(path(at));
        at += 1;
    }
    if !trailing && out.last() == Some(&b'/') {
        out.pop();
    }
    out
}

/// Drops a back-reference and the segment before it, up to the slash that begins that segment.
fn go_back(out: &mut Vec<u8>) {
    // Behind the segment stand a slash and the first dot; the second is not written yet.
    let mut length = out.len().saturating_sub(3);
    while length > 0 && out.get(length) != Some(&b'/') {
        length -= 1;
    }
    out.truncate(length);
}
