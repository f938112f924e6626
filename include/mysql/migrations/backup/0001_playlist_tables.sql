-- The songs of each radio programme.
CREATE TABLE IF NOT EXISTS tb_song_drp_m (
    idx BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    song_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    deleted_at DATETIME(3) NULL DEFAULT NULL,
    PRIMARY KEY (idx),
    KEY k_song (song_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE IF NOT EXISTS tb_song_fgy_m LIKE tb_song_drp_m;

CREATE TABLE IF NOT EXISTS tb_song_k2k_m LIKE tb_song_drp_m;

CREATE TABLE IF NOT EXISTS tb_song_mdi_m LIKE tb_song_drp_m;

CREATE TABLE IF NOT EXISTS tb_song_nmg_m LIKE tb_song_drp_m;

CREATE TABLE IF NOT EXISTS tb_song_rtc_m LIKE tb_song_drp_m;
