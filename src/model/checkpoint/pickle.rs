//! A reader of pickles that runs nothing.
//!
//! A pickle is a program for a stack machine; Python's own reader imports and calls whatever it names. This one knows the
//! opcodes up to protocol 4 and builds plain values only: `GLOBAL` yields a name, calling a name yields an
//! [`Value::Opaque`], except for the handful of names that PyTorch writes for containers and tensors, which become plain
//! values too.
//!
//! A hostile file can't make it grow: values live in one list and refer to each other by number, so nothing is ever copied,
//! expanded or walked recursively; texts stay where they are in the file; and every opcode adds at most one value. Memory and
//! time are bounded by the length of the pickle, whatever it says about lengths, memo numbers or depth; how many values, labels
//! and open groups there may be is limited besides.

use std::collections::HashMap;

/// Longest pickle that is read. The settings and tensor names of the published checkpoints take a few hundred kilobytes.
pub(super) const MAX_PICKLE_BYTES: u64 = 64 << 20;
/// Most values, and most labels for them: twice what the class names of k = 10 take.
const MAX_VALUES: usize = 8 << 20;
/// Most values that wait on the stack. Python's own writer never leaves more than some thousand.
const MAX_STACK: usize = 16 << 20;
/// Most groups open at once.
const MAX_DEPTH: usize = 1 << 20;
/// Most dimensions of a tensor; PyTorch's own limit is 64, a transformer needs two.
const MAX_DIMENSIONS: usize = 8;

/// Why a pickle was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PickleError {
    /// The file ends inside an instruction, or before the last one.
    #[error("it ends too early, at byte {0}")]
    Truncated(usize),
    /// An instruction that no supported protocol has.
    #[error("byte {at} (0x{code:02x}) is no instruction of pickle protocols 0 to 4")]
    Instruction { at: usize, code: u8 },
    /// A protocol above 4.
    #[error("it uses pickle protocol {0}; protocols up to 4 are read")]
    Protocol(u8),
    /// An instruction that can't be followed where it stands.
    #[error("byte {at}: {what}")]
    Malformed { at: usize, what: &'static str },
}

/// A value by its number.
pub(super) type Id = u32;

/// A plain value. Containers hold the numbers of their members.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// Python's `None`.
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    /// Keys and values in the order written; a later one of the same key counts.
    Dict(Vec<(Id, Id)>),
    /// The name of a class or function.
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// An object of a plain class, and its attributes once they are known.
    Object {
        class: Id,
        state: Option<Id>,
    },
    /// Raw memory that lies beside the pickle.
    Storage {
        kind: &'a str,
        key: &'a str,
    },
    Tensor(Box<View>),
    /// Anything else: known to be there, not looked into.
    Opaque,
}

/// A tensor: a view of a storage. Offset and strides count elements.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    pub(super) storage: Id,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) strides: Vec<u64>,
}

/// A pickle that was read: all values, and which is the outermost.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads `bytes` up to the `STOP` instruction.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, PickleError> {
        Machine::new(bytes).run()
    }

    /// The outermost value.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// A value by its number.
    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    /// The entries of a dict, or of an object's attributes, that have a text for a key; of repeated keys the last counts.
    pub(super) fn entries(&self, id: Id) -> Option<HashMap<&'a str, Id>> {
        let pairs = match self.get(id) {
            Value::Dict(pairs) => pairs,
            Value::Object { state: Some(state), .. } => match self.get(*state) {
                Value::Dict(pairs) => pairs,
                _ => return None,
            },
            _ => return None,
        };
        let text_pairs = pairs.iter().filter_map(|&(key, value)| match self.get(key) {
            Value::Text(key) => Some((*key, value)),
            _ => None,
        });
        Some(text_pairs.collect())
    }
}

/// The stack machine.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at each open mark.
    marks: Vec<usize>,
    /// By the number that the file gives; a map, so that a huge number costs nothing.
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() }
    }

    fn run(mut self) -> Result<Pickle<'a>, PickleError> {
        loop {
            let at = self.at;
            let code = self.take(1)?[0];
            if code == b'.' {
                let root = self.pop()?;
                return Ok(Pickle { values: self.values, root });
            }
            self.step(code, at)?;
        }
    }

    fn step(&mut self, code: u8, at: usize) -> Result<(), PickleError> {
        match code {
            // protocol and framing
            0x80 => match self.take(1)?[0] {
                version @ 5.. => Err(PickleError::Protocol(version)),
                _ => Ok(()),
            },
            0x95 => {
                let length = self.u64()?;
                if length > (self.bytes.len() - self.at) as u64 {
                    return Err(PickleError::Truncated(self.at));
                }
                Ok(())
            }
            // stack
            b'(' if self.marks.len() >= MAX_DEPTH => Err(self.malformed("groups are nested too deeply")),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                    return Ok(());
                }
                self.pop().map(drop)
            }
            b'1' => self.height_at_mark().map(|height| self.stack.truncate(height)),
            b'2' => {
                let top = self.top()?;
                self.push_again(top)
            }
            // memo
            b'p' => {
                let index = self.decimal()?;
                self.put(index)
            }
            b'q' => {
                let index = u32::from(self.take(1)?[0]);
                self.put(index)
            }
            b'r' => {
                let index = self.u32()?;
                self.put(index)
            }
            0x94 => self.put(self.memo.len() as u32),
            b'g' => {
                let index = self.decimal()?;
                self.recall(index)
            }
            b'h' => {
                let index = u32::from(self.take(1)?[0]);
                self.recall(index)
            }
            b'j' => {
                let index = self.u32()?;
                self.recall(index)
            }
            _ => match self.scalar(code)? {
                Some(value) => self.push(value),
                None => self.compound(code, at),
            },
        }
    }

    /// Instructions that hold their value themselves.
    fn scalar(&mut self, code: u8) -> Result<Option<Value<'a>>, PickleError> {
        let value = match code {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'I' => match self.line()? {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                digits => Value::Int(digits.parse().map_err(|_| self.malformed("not a whole number"))?),
            },
            b'L' => {
                let digits = self.line()?.trim_end_matches('L');
                digits.parse().map_or(Value::Opaque, Value::Int)
            }
            b'J' => Value::Int(i64::from(self.u32()? as i32)),
            b'K' => Value::Int(i64::from(self.take(1)?[0])),
            b'M' => {
                let low = self.take(2)?;
                Value::Int(i64::from(u16::from_le_bytes([low[0], low[1]])))
            }
            0x8a => {
                let length = usize::from(self.take(1)?[0]);
                long(self.take(length)?)
            }
            0x8b => {
                let length = self.u32()? as usize;
                long(self.take(length)?)
            }
            b'F' => Value::Float(self.line()?.parse().map_err(|_| self.malformed("not a number"))?),
            b'G' => {
                let mut big_endian = [0; 8];
                big_endian.copy_from_slice(self.take(8)?);
                Value::Float(f64::from_be_bytes(big_endian))
            }
            b'V' | b'S' => self.text_line(code)?,
            0x8c | b'U' => {
                let length = usize::from(self.take(1)?[0]);
                self.text(length, code)?
            }
            b'X' | b'T' => {
                let length = self.u32()? as usize;
                self.text(length, code)?
            }
            0x8d => {
                let length = self.length()?;
                self.text(length, code)?
            }
            b'C' => {
                let length = usize::from(self.take(1)?[0]);
                self.take(length)?;
                Value::Opaque
            }
            b'B' => {
                let length = self.u32()? as usize;
                self.take(length)?;
                Value::Opaque
            }
            0x8e => {
                let length = self.length()?;
                self.take(length)?;
                Value::Opaque
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    /// Instructions that put values together.
    fn compound(&mut self, code: u8, at: usize) -> Result<(), PickleError> {
        match code {
            b']' | 0x8f => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b'l' | 0x91 => {
                let members = self.pop_to_mark()?;
                self.push(Value::List(members))
            }
            b't' => {
                let members = self.pop_to_mark()?;
                self.push(Value::Tuple(members))
            }
            b'd' => {
                let members = self.pop_to_mark()?;
                let pairs = self.pairs(&members)?;
                self.push(Value::Dict(pairs))
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let start = self.stack.len().checked_sub(count).filter(|&start| start >= self.floor());
                let start = start.ok_or_else(|| self.malformed("a tuple of more values than there are"))?;
                let members = self.stack.split_off(start);
                self.push(Value::Tuple(members))
            }
            b'a' => {
                let member = self.pop()?;
                self.extend_list(&[member])
            }
            b'e' | 0x90 => {
                let members = self.pop_to_mark()?;
                self.extend_list(&members)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(vec![(key, value)])
            }
            b'u' => {
                let members = self.pop_to_mark()?;
                let pairs = self.pairs(&members)?;
                self.extend_dict(pairs)
            }
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.push(Value::Global { module, name })
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.value(module), self.value(name)) {
                    (&Value::Text(module), &Value::Text(name)) => self.push(Value::Global { module, name }),
                    _ => Err(self.malformed("a class whose name is no text")),
                }
            }
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                self.call(callee, arguments)
            }
            0x92 => {
                let (_keywords, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callee, arguments)
            }
            b'i' => {
                let (_module, _name) = (self.line()?, self.line()?);
                self.pop_to_mark()?;
                self.push(Value::Opaque)
            }
            b'o' => {
                self.pop_to_mark()?;
                self.push(Value::Opaque)
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                if let Value::Object { state: slot, .. } = self.value_mut(object) {
                    *slot = Some(state);
                }
                Ok(())
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id);
                self.push(storage)
            }
            b'P' => {
                self.line()?;
                self.push(Value::Opaque)
            }
            code => Err(PickleError::Instruction { at, code }),
        }
    }

    /// What calling a name makes: a plain value for the names that PyTorch writes, else an opaque one.
    fn call(&mut self, callee: Id, arguments: Id) -> Result<(), PickleError> {
        let Value::Tuple(arguments) = self.value(arguments) else {
            return Err(self.malformed("a call without a tuple of arguments"));
        };
        let argument = |index: usize| arguments.get(index).copied();
        let &Value::Global { module, name } = self.value(callee) else {
            return self.push(Value::Opaque);
        };
        let made = match (module, name) {
            ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") if arguments.is_empty() => {
                Value::Dict(Vec::new())
            }
            ("argparse", "Namespace") => Value::Object { class: callee, state: None },
            ("copyreg" | "copy_reg", "_reconstructor") => match argument(0) {
                Some(class) => Value::Object { class, state: None },
                None => Value::Opaque,
            },
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => self.tensor(arguments),
            // the value itself, under another name
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") | ("torch", "Size") => {
                if let Some(same) = argument(0) {
                    return self.push_again(same);
                }
                Value::Opaque
            }
            _ => Value::Opaque,
        };
        self.push(made)
    }

    /// The tensor of `_rebuild_tensor_v2(storage, offset, shape, strides, …)`, or an opaque value where it is no such call.
    fn tensor(&self, arguments: &[Id]) -> Value<'a> {
        let sizes = |id: Id| match self.value(id) {
            Value::Tuple(members) | Value::List(members) if members.len() <= MAX_DIMENSIONS => {
                members.iter().map(|&member| self.size(member)).collect::<Option<Vec<u64>>>()
            }
            _ => None,
        };
        let made = || {
            let [storage, offset, shape, strides, ..] = *arguments else { return None };
            let (offset, shape, strides) = (self.size(offset)?, sizes(shape)?, sizes(strides)?);
            let fits = shape.len() == strides.len();
            fits.then(|| Value::Tensor(Box::new(View { storage, offset, shape, strides })))
        };
        made().unwrap_or(Value::Opaque)
    }

    fn size(&self, id: Id) -> Option<u64> {
        match self.value(id) {
            Value::Int(size) => u64::try_from(*size).ok(),
            _ => None,
        }
    }

    /// The storage of `("storage", kind, key, location, elements)`.
    fn storage(&self, id: Id) -> Value<'a> {
        let made = || {
            let Value::Tuple(members) = self.value(id) else { return None };
            let [tag, kind, key, ..] = members[..] else { return None };
            match (self.value(tag), self.value(kind), self.value(key)) {
                (Value::Text("storage"), &Value::Global { name: kind, .. }, &Value::Text(key)) => {
                    Some(Value::Storage { kind, key })
                }
                _ => None,
            }
        };
        made().unwrap_or(Value::Opaque)
    }

    fn extend_list(&mut self, members: &[Id]) -> Result<(), PickleError> {
        let list = self.top()?;
        match self.value_mut(list) {
            Value::List(list) => list.extend_from_slice(members),
            Value::Object { .. } | Value::Opaque => {}
            _ => return Err(self.malformed("a member for something that is no list")),
        }
        Ok(())
    }

    fn extend_dict(&mut self, pairs: Vec<(Id, Id)>) -> Result<(), PickleError> {
        let dict = self.top()?;
        match self.value_mut(dict) {
            Value::Dict(dict) => dict.extend(pairs),
            Value::Object { .. } | Value::Opaque => {}
            _ => return Err(self.malformed("an entry for something that is no dict")),
        }
        Ok(())
    }

    fn pairs(&self, members: &[Id]) -> Result<Vec<(Id, Id)>, PickleError> {
        let pairs = members.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(self.malformed("a key without a value"));
        }
        Ok(pairs.map(|pair| (pair[0], pair[1])).collect())
    }

    // values, stack and memo

    fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    fn value_mut(&mut self, id: Id) -> &mut Value<'a> {
        &mut self.values[id as usize]
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), PickleError> {
        if self.values.len() >= MAX_VALUES {
            return Err(self.malformed("it holds far more values than a model needs"));
        }
        self.values.push(value);
        self.push_again(self.values.len() as Id - 1)
    }

    /// Pushes a value that is known already.
    fn push_again(&mut self, id: Id) -> Result<(), PickleError> {
        if self.stack.len() >= MAX_STACK {
            return Err(self.malformed("more values wait than any writer leaves"));
        }
        self.stack.push(id);
        Ok(())
    }

    /// Height below which nothing may be popped: the innermost open mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Id, PickleError> {
        let top = self.stack.last().copied().filter(|_| self.stack.len() > self.floor());
        top.ok_or_else(|| self.malformed("a value is taken where there is none"))
    }

    fn height_at_mark(&mut self) -> Result<usize, PickleError> {
        self.marks.pop().ok_or_else(|| self.malformed("a group ends that was never begun"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let height = self.height_at_mark()?;
        Ok(self.stack.split_off(height))
    }

    fn put(&mut self, index: u32) -> Result<(), PickleError> {
        let top = self.top()?;
        if self.memo.len() >= MAX_VALUES {
            return Err(self.malformed("it labels far more values than a model needs"));
        }
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), PickleError> {
        let value = self.memo.get(&index).copied();
        let value = value.ok_or_else(|| self.malformed("a value is recalled that was never stored"))?;
        self.push_again(value)
    }

    // bytes

    fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or(PickleError::Truncated(self.at))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, PickleError> {
        let mut little_endian = [0; 4];
        little_endian.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(little_endian))
    }

    fn u64(&mut self) -> Result<u64, PickleError> {
        let mut little_endian = [0; 8];
        little_endian.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(little_endian))
    }

    fn length(&mut self) -> Result<usize, PickleError> {
        usize::try_from(self.u64()?).map_err(|_| PickleError::Truncated(self.at))
    }

    fn line(&mut self) -> Result<&'a str, PickleError> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(PickleError::Truncated(self.bytes.len()))?;
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|_| self.malformed("a text that is not UTF-8"))
    }

    fn decimal(&mut self) -> Result<u32, PickleError> {
        self.line()?.parse().map_err(|_| self.malformed("not a memo number"))
    }

    /// A text of protocols 0 to 2: a line, in quotes for `STRING`. Escapes would need copying and don't occur in names.
    fn text_line(&mut self, code: u8) -> Result<Value<'a>, PickleError> {
        let line = self.line()?;
        let quoted = |quote: char| line.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        let text = if code == b'S' { quoted('\'').or_else(|| quoted('"')) } else { Some(line) };
        match text {
            Some(text) if !text.contains('\\') => Ok(Value::Text(text)),
            Some(_) => Ok(Value::Opaque),
            None => Err(self.malformed("a text without quotes")),
        }
    }

    /// A text of known length; the two 8-bit kinds of Python 2 may be anything and are opaque where they are not UTF-8.
    fn text(&mut self, length: usize, code: u8) -> Result<Value<'a>, PickleError> {
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(Value::Text(text)),
            Err(_) if matches!(code, b'U' | b'T') => Ok(Value::Opaque),
            Err(_) => Err(self.malformed("a text that is not UTF-8")),
        }
    }

    fn malformed(&self, what: &'static str) -> PickleError {
        PickleError::Malformed { at: self.at, what }
    }
}

/// A whole number in two's complement, little end first; one beyond 64 bits is opaque.
fn long<'a>(bytes: &[u8]) -> Value<'a> {
    if bytes.len() > 8 {
        return Value::Opaque;
    }
    let sign = if bytes.last().is_some_and(|&last| last >= 0x80) { 0xff } else { 0 };
    let mut little_endian = [sign; 8];
    little_endian[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(little_endian))
}

#[cfg(test)]
#[path = "pickle_tests.rs"]
mod tests;
