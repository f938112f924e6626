# The databases and logins of tasks. Read by the image's own script, once, when its volume is empty.
docker_process_sql <<SQL
CREATE DATABASE music CHARACTER SET utf8mb4;
CREATE DATABASE music_backup CHARACTER SET utf8mb4;
CREATE DATABASE embsearch_images CHARACTER SET utf8mb4;
CREATE USER 'embsearch'@'%' IDENTIFIED BY '$READER_PASSWORD';
GRANT SELECT ON \`music%\`.* TO 'embsearch'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON \`embsearch_images%\`.* TO 'embsearch'@'%';
CREATE USER 'embsearch_images'@'%' IDENTIFIED BY '$IMAGES_PASSWORD';
GRANT SELECT, INSERT ON \`embsearch_images%\`.* TO 'embsearch_images'@'%';
CREATE USER 'embsearch_owner'@'%' IDENTIFIED BY '$OWNER_PASSWORD';
GRANT ALL PRIVILEGES ON \`music%\`.* TO 'embsearch_owner'@'%';
GRANT ALL PRIVILEGES ON \`embsearch_images%\`.* TO 'embsearch_owner'@'%';
SQL
