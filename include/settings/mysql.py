"""MySQL: where it is, and what tables look like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from include.settings.values import AbsolutePath, Column, OptionalColumn, TimeZone, Urls


class Mysql:
    """The databases of vectors, of radio programmes, of images."""

    # Tables of vectors for the FAISS indexes; docs/mysql.md says what they must be like and which rights are needed.
    mysql_url: Urls = "mysql://localhost:3306/music"  # mysql://<host>:<port>/<database>, no login inside
    mysql_user: str | None = None
    mysql_password: SecretStr | None = None
    mysql_ca_certs: AbsolutePath | None = None  # when given, TLS is demanded and the certificate checked
    # Who makes tables and test data (`embsearch mysql migrate`, `embsearch generate vectors`); no job uses it.
    mysql_owner_user: str | None = None  # default: the user above
    mysql_owner_password: SecretStr | None = None
    mysql_id_column: Column = "idx"
    mysql_song_column: Column = "song_id"
    mysql_vector_column: Column = "embedding"
    mysql_vector_type: Literal["float32", "float16"] = "float32"  # little-endian
    mysql_created_column: OptionalColumn = "created_at"  # stands in where there is no column of changes
    mysql_updated_column: OptionalColumn = "updated_at"
    mysql_deleted_column: OptionalColumn = "deleted_at"  # NULL in rows that live
    mysql_time_zone: TimeZone = "UTC"  # of these columns' times
    mysql_page_rows: Annotated[int, Field(ge=1, le=100_000)] = 5000  # in one query

    # Tables of the songs of each radio programme, in the backup MySQL.
    backup_mysql_url: Urls = "mysql://localhost:3306/music_backup"
    backup_mysql_user: str | None = None
    backup_mysql_password: SecretStr | None = None
    backup_mysql_ca_certs: AbsolutePath | None = None
    backup_mysql_id_column: Column = "idx"
    backup_mysql_song_column: Column = "song_id"
    backup_mysql_deleted_column: OptionalColumn = "deleted_at"

    # Tables of images, products and defects; docs/images.md says what they must be like. Its user writes there, too.
    images_mysql_url: Urls = "mysql://localhost:3306/embsearch_images"
    images_mysql_user: str | None = None
    images_mysql_password: SecretStr | None = None
    images_mysql_ca_certs: AbsolutePath | None = None
    # Who makes these tables and test pictures (`embsearch images migrate`, `embsearch images seed`); no job uses it.
    images_mysql_owner_user: str | None = None  # default: the user above
    images_mysql_owner_password: SecretStr | None = None
