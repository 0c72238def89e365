//! Rows in Parquet files; `docs/sweep.md` describes the columns.

use super::about::About;
use crate::{Error, Result};
use parquet::basic::Compression;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, Type};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SCHEMA: &str = "
message sweep {
  required binary image (STRING);
  optional binary class (STRING);
  required binary unit (STRING);
  required double scale;
  optional int32 through;
  required int32 side;
  required float difference;
  required float expected_kernel;
}";
/// Key of the file's metadata that holds [`About`] as JSON.
const ABOUT: &str = "sklens.sweep";
/// Rows that are written together.
const GROUP: usize = 1 << 16;

/// One photo, unit and zoom.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Path below the folder.
    pub image: String,
    /// First folder of the path.
    pub class: Option<String>,
    /// The paper's name.
    pub unit: String,
    /// Zoom.
    pub scale: f64,
    /// Pixels that the view went through; none for a plain view.
    pub through: Option<usize>,
    /// Shorter side in pixels of what the view was cut from.
    pub side: usize,
    /// Mean over channels of the largest minus the smallest kernel's attention.
    pub difference: f32,
    /// Mean over channels of Σ aₘ·sizeₘ.
    pub expected_kernel: f32,
}

fn schema() -> Result<Arc<Type>, ParquetError> {
    parse_message_type(SCHEMA).map(Arc::new)
}

fn failed(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::bad_option(format!("{}: {why}", path.display()))
}

/// Writes a file of rows; it has its name only once it is whole.
pub struct Writer {
    path: PathBuf,
    unfinished: PathBuf,
    file: SerializedFileWriter<File>,
    waiting: Vec<Row>,
}

impl Writer {
    /// Begins the file `path`.
    ///
    /// # Errors
    /// `bad-option` if it cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".unfinished");
        let unfinished = path.with_file_name(name);
        let make = || {
            let measured = ["difference", "expected_kernel"].map(ColumnPath::from);
            let properties = measured
                .into_iter()
                .fold(WriterProperties::builder(), |p, column| p.set_column_dictionary_enabled(column, false))
                .set_compression(Compression::UNCOMPRESSED)
                .set_created_by(concat!("sklens ", env!("CARGO_PKG_VERSION")).into())
                .build();
            SerializedFileWriter::new(File::create(&unfinished)?, schema()?, Arc::new(properties))
        };
        let file = make().map_err(|e: ParquetError| failed(path, &e))?;
        Ok(Self { path: path.into(), unfinished, file, waiting: Vec::new() })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// `bad-option` if it cannot be written.
    pub fn add(&mut self, row: Row) -> Result<()> {
        self.waiting.push(row);
        if self.waiting.len() < GROUP { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<()> {
        let mut write = || {
            let mut group = self.file.next_row_group()?;
            write_group(&mut group, &self.waiting)?;
            group.close()
        };
        write().map_err(|e| failed(&self.path, &e))?;
        self.waiting.clear();
        Ok(())
    }

    /// Ends the file, which says `about` of itself.
    ///
    /// # Errors
    /// `bad-option` if it cannot be written.
    pub fn finish(mut self, about: &About) -> Result<()> {
        if !self.waiting.is_empty() {
            self.write()?;
        }
        let about = serde_json::to_string(about).map_err(|e| failed(&self.path, &e))?;
        self.file.append_key_value_metadata(KeyValue::new(ABOUT.into(), about));
        self.file.close().map_err(|e| failed(&self.path, &e))?;
        std::fs::rename(&self.unfinished, &self.path).map_err(|e| failed(&self.path, &e))
    }
}

/// The columns of `rows`, in the order of [`SCHEMA`].
fn write_group(group: &mut SerializedRowGroupWriter<'_, File>, rows: &[Row]) -> Result<(), ParquetError> {
    let text = |text: &String| ByteArray::from(text.as_bytes().to_vec());
    let levels = |is_some: fn(&Row) -> bool| rows.iter().map(|row| i16::from(is_some(row))).collect::<Vec<_>>();
    let classes = levels(|row| row.class.is_some());
    let throughs = levels(|row| row.through.is_some());
    write::<ByteArrayType>(group, rows.iter().map(|row| text(&row.image)), None)?;
    write::<ByteArrayType>(group, rows.iter().filter_map(|row| row.class.as_ref().map(text)), Some(&classes))?;
    write::<ByteArrayType>(group, rows.iter().map(|row| text(&row.unit)), None)?;
    write::<DoubleType>(group, rows.iter().map(|row| row.scale), None)?;
    write::<Int32Type>(group, rows.iter().filter_map(|row| row.through.map(|pixels| pixels as i32)), Some(&throughs))?;
    write::<Int32Type>(group, rows.iter().map(|row| row.side as i32), None)?;
    write::<FloatType>(group, rows.iter().map(|row| row.difference), None)?;
    write::<FloatType>(group, rows.iter().map(|row| row.expected_kernel), None)
}

/// The next column; `levels` has 1 where an optional value is there.
fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: impl Iterator<Item = T::T>,
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has too few columns".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(&values.collect::<Vec<_>>(), levels, None)?;
    column.close()
}

/// Reads a file of rows.
pub struct Reader {
    path: PathBuf,
    file: SerializedFileReader<File>,
    /// What it says of itself.
    pub about: About,
}

impl Reader {
    /// Opens the file `path`.
    ///
    /// # Errors
    /// `bad-option` if it cannot be read, or no sweep wrote it.
    pub fn open(path: &Path) -> Result<Self> {
        let open = || SerializedFileReader::new(File::open(path)?);
        let file = open().map_err(|e: ParquetError| failed(path, &e))?;
        let metadata = file.metadata().file_metadata();
        let found = metadata.key_value_metadata().into_iter().flatten().find(|pair| pair.key == ABOUT);
        let about = found.and_then(|pair| serde_json::from_str(pair.value.as_deref()?).ok());
        let expected = schema().map_err(|e| failed(path, &e))?;
        match about {
            Some(about) if *metadata.schema() == *expected => Ok(Self { path: path.into(), file, about }),
            _ => Err(failed(path, &"no `sklens sweep` of this version wrote it")),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Calls `take` with every row, in order.
    ///
    /// # Errors
    /// `bad-option` if the file is damaged, and those of `take`.
    pub fn for_each(&mut self, mut take: impl FnMut(Row) -> Result<()>) -> Result<()> {
        for group in 0..self.file.num_row_groups() {
            let read = || read_group(&*self.file.get_row_group(group)?);
            read().map_err(|e| failed(&self.path, &e))?.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    }
}

fn read_group(group: &dyn RowGroupReader) -> Result<Vec<Row>, ParquetError> {
    let text = |bytes: &ByteArray| bytes.as_utf8().map(str::to_string);
    let images = read::<ByteArrayType>(group, 0)?;
    let classes = read::<ByteArrayType>(group, 1)?;
    let units = read::<ByteArrayType>(group, 2)?;
    let scales = read::<DoubleType>(group, 3)?;
    let throughs = read::<Int32Type>(group, 4)?;
    let sides = read::<Int32Type>(group, 5)?;
    let differences = read::<FloatType>(group, 6)?;
    let expected_kernels = read::<FloatType>(group, 7)?;
    let row = |at: usize| {
        Ok(Row {
            image: text(required(&images, at)?)?,
            class: optional(&classes, at)?.map(text).transpose()?,
            unit: text(required(&units, at)?)?,
            scale: *required(&scales, at)?,
            through: optional(&throughs, at)?.map(|&pixels| pixels as usize),
            side: *required(&sides, at)? as usize,
            difference: *required(&differences, at)?,
            expected_kernel: *required(&expected_kernels, at)?,
        })
    };
    (0..group.metadata().num_rows() as usize).map(row).collect()
}

/// A column's values, one per row.
fn read<T: DataType>(group: &dyn RowGroupReader, column: usize) -> Result<Vec<Option<T::T>>, ParquetError> {
    let rows = group.metadata().num_rows() as usize;
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(column)?);
    let mut read = 0;
    while read < rows {
        let (records, ..) = reader.read_records(rows - read, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            break;
        }
        read += records;
    }
    if levels.is_empty() {
        return Ok(values.into_iter().map(Some).collect());
    }
    let mut values = values.into_iter();
    Ok(levels.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
}

fn optional<T>(column: &[Option<T>], at: usize) -> Result<Option<&T>, ParquetError> {
    column.get(at).map(Option::as_ref).ok_or_else(|| ParquetError::EOF("a column has too few values".into()))
}

fn required<T>(column: &[Option<T>], at: usize) -> Result<&T, ParquetError> {
    optional(column, at)?.ok_or_else(|| ParquetError::EOF("a value is missing".into()))
}
