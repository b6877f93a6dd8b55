//! The values of a transaction: bytes in one arena, what is known about each, and each transformation done once.

use std::borrow::Cow;

use crate::byte_set::ByteSet;
use crate::transform::Transform;
use crate::variable::Variable;

/// Which value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValueId(u32);

const NO_VALUE: ValueId = ValueId(u32::MAX);
const NO_ROW: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

#[derive(Debug, Clone, Copy)]
struct Value {
    name: Span,
    bytes: Span,
    /// Which byte values occur.
    set: ByteSet,
    /// Where its row of the memo begins, once it has one.
    row: u32,
    /// The next value of the same variable.
    next: ValueId,
}

/// Every value that rules can look at, and what became of it under each list of transformations.
pub(crate) struct Values {
    arena: Vec<u8>,
    all: Vec<Value>,
    /// By variable, the first and the last of its values.
    by_variable: [(ValueId, ValueId); Variable::COUNT],
    /// Rows of `chains` results each.
    memo: Vec<ValueId>,
    chains: usize,
    /// Grows with each value that arrives.
    age: u32,
    /// How old all were when a variable was last given a value.
    ages: [u32; Variable::COUNT],
}

impl Values {
    /// A store for rules with so many different lists of transformations.
    pub(crate) fn new(chains: usize) -> Self {
        Self {
            arena: Vec::with_capacity(8 * 1024),
            all: Vec::with_capacity(128),
            by_variable: [(NO_VALUE, NO_VALUE); Variable::COUNT],
            memo: Vec::with_capacity(64 * chains),
            chains,
            age: 0,
            ages: [0; Variable::COUNT],
        }
    }

    /// Bytes held, results of transformations included.
    pub(crate) fn size(&self) -> usize {
        self.arena.len()
    }

    fn append(&mut self, bytes: &[u8]) -> Span {
        let start = self.arena.len() as u32;
        self.arena.extend_from_slice(bytes);
        Span { start, len: bytes.len() as u32 }
    }

    fn make(&mut self, name: Span, bytes: Span) -> ValueId {
        let set = ByteSet::of(self.slice(bytes));
        self.put(Value { name, bytes, set, row: NO_ROW, next: NO_VALUE })
    }

    fn put(&mut self, value: Value) -> ValueId {
        self.all.push(value);
        ValueId((self.all.len() - 1) as u32)
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.arena[span.start as usize..(span.start + span.len) as usize]
    }

    /// Adds a value to a collection, and its name to the collection of names.
    pub(crate) fn add(&mut self, variable: Variable, name: &[u8], bytes: &[u8]) {
        self.age += 1;
        let name = self.append(name);
        let bytes = self.append(bytes);
        let id = self.make(name, bytes);
        self.link(variable, id);
        if let Some(names) = variable.names() {
            let id = self.make(name, name);
            self.link(names, id);
        }
    }

    fn link(&mut self, variable: Variable, id: ValueId) {
        self.ages[variable as usize] = self.age;
        let (first, last) = &mut self.by_variable[variable as usize];
        if *last == NO_VALUE {
            *first = id;
        } else {
            self.all[last.0 as usize].next = id;
        }
        *last = id;
    }

    /// Puts a value in the place of whatever a variable without names held.
    pub(crate) fn set(&mut self, variable: Variable, bytes: &[u8]) {
        self.by_variable[variable as usize] = (NO_VALUE, NO_VALUE);
        self.add(variable, b"", bytes);
    }

    /// The values of one variable; a variable that joins others has none of its own.
    pub(crate) fn of(&self, variable: Variable) -> impl Iterator<Item = ValueId> {
        std::iter::successors(self.first(variable), |id| self.next(*id))
    }

    pub(crate) fn first(&self, variable: Variable) -> Option<ValueId> {
        Some(self.by_variable[variable as usize].0).filter(|id| *id != NO_VALUE)
    }

    /// The value that follows one of the same variable.
    pub(crate) fn next(&self, id: ValueId) -> Option<ValueId> {
        Some(self.all[id.0 as usize].next).filter(|id| *id != NO_VALUE)
    }

    /// As long as this stays the same, no variable has got another value.
    pub(crate) fn age(&self) -> u32 {
        self.age
    }

    /// The age at which a variable was last given a value.
    pub(crate) fn age_of(&self, variable: Variable) -> u32 {
        self.ages[variable as usize]
    }

    pub(crate) fn bytes(&self, id: ValueId) -> &[u8] {
        self.slice(self.all[id.0 as usize].bytes)
    }

    pub(crate) fn byte_set(&self, id: ValueId) -> &ByteSet {
        &self.all[id.0 as usize].set
    }

    pub(crate) fn len(&self, id: ValueId) -> usize {
        self.all[id.0 as usize].bytes.len as usize
    }

    pub(crate) fn name(&self, id: ValueId) -> &[u8] {
        self.slice(self.all[id.0 as usize].name)
    }

    /// The value after a list of transformations; done once for each value and list.
    pub(crate) fn transformed(&mut self, id: ValueId, chain: usize, transforms: &[Transform]) -> ValueId {
        if transforms.is_empty() {
            return id;
        }
        let mut row = self.all[id.0 as usize].row;
        if row == NO_ROW {
            row = self.memo.len() as u32;
            self.all[id.0 as usize].row = row;
            self.memo.resize(self.memo.len() + self.chains, NO_VALUE);
        }
        let place = row as usize + chain;
        if self.memo[place] != NO_VALUE {
            return self.memo[place];
        }
        let mut result = id;
        for transform in transforms {
            result = self.step(result, *transform);
        }
        self.memo[place] = result;
        result
    }

    /// The value after one transformation; itself, if that changes nothing.
    pub(crate) fn step(&mut self, id: ValueId, transform: Transform) -> ValueId {
        let value = self.all[id.0 as usize];
        if transform.triggers().is_some_and(|triggers| !triggers.intersects(&value.set)) {
            return id;
        }
        let bytes = self.slice(value.bytes);
        let span = match transform.apply(bytes) {
            Cow::Borrowed(same) if same.len() == bytes.len() => return id,
            // A part of the value needs no copy; where it begins follows from the addresses.
            Cow::Borrowed(part) => {
                let offset = (part.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
                if offset + part.len() <= bytes.len() {
                    Span { start: value.bytes.start + offset as u32, len: part.len() as u32 }
                } else {
                    let part = part.to_vec();
                    self.append(&part)
                }
            }
            Cow::Owned(new) => self.append(&new),
        };
        match transform.bytes_after(&value.set) {
            Some(set) => self.put(Value { name: value.name, bytes: span, set, row: NO_ROW, next: NO_VALUE }),
            None => self.make(value.name, span),
        }
    }
}
