-- One row for each vector. A row lives while deleted_at is NULL; updated_at moves with every change of the vector.
CREATE TABLE IF NOT EXISTS tb_embedding_clap_h (
    idx BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    song_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    embedding MEDIUMBLOB NULL,
    created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    deleted_at DATETIME(3) NULL DEFAULT NULL,
    PRIMARY KEY (idx),
    KEY k_song (song_id),
    KEY k_updated (updated_at, deleted_at),
    KEY k_live (idx, deleted_at, updated_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4;

CREATE TABLE IF NOT EXISTS tb_embedding_clap_lyrics_summary_h LIKE tb_embedding_clap_h;

CREATE TABLE IF NOT EXISTS tb_embedding_bgem3_artist_h LIKE tb_embedding_clap_h;

CREATE TABLE IF NOT EXISTS tb_embedding_bgem3_song_name_h LIKE tb_embedding_clap_h;

CREATE TABLE IF NOT EXISTS tb_embedding_bgem3_album_name_h LIKE tb_embedding_clap_h;

CREATE TABLE IF NOT EXISTS tb_embedding_bgem3_lyrics_slide_h LIKE tb_embedding_clap_h;

CREATE TABLE IF NOT EXISTS tb_embedding_bgem3_lyrics_3_slide_h LIKE tb_embedding_clap_h;
