"""The bundled tables: one CSV and one page of description (source, licence) for each data set."""
